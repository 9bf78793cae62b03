use ad_sim::Settings;
use anyhow::{Context as _, Result};
use contract::{Change, control};
use ldap3::Scope;

use crate::{PASSWORD, add_ada, log_on, start, try_logon};

const NEW: &str = "N3w-Passw0rd!";
const OTHER: &str = "0ther-Passw0rd!";

fn two() -> Settings {
    Settings {
        controllers: 2,
        ..Settings::new("corp.test")
    }
}

#[tokio::test]
async fn another_controller_knows_only_what_was_replicated() -> Result<()> {
    let simulation = start(two()).await?;
    let dn = add_ada(&simulation)?;
    let [first, second] = simulation.controllers() else {
        anyhow::bail!("not two");
    };
    let there = log_on(&simulation, 1).await?;
    assert!(there.read(&dn, &["cn"]).await?.is_none());

    simulation.replicate(first, second);
    let here = log_on(&simulation, 0).await?;
    let asked = ["objectGUID", "uSNChanged", "pwdLastSet"];
    let (a, b) = (here.get(&dn, &asked).await?, there.get(&dn, &asked).await?);
    assert_eq!(a.guid(), b.guid());
    assert_eq!(a.text("pwdLastSet"), b.text("pwdLastSet"));
    // USNs are each controller's own.
    assert_ne!(a.text("uSNChanged"), b.text("uSNChanged"));
    assert_eq!(try_logon(&simulation, 1, PASSWORD).await?, "");

    // A password set at one is not known at the other until it is replicated.
    assert_eq!(here.modify(&dn, &[Change::Reset(NEW)]).await?.0, 0);
    assert_eq!(try_logon(&simulation, 1, NEW).await?, "52e");
    assert_eq!(try_logon(&simulation, 1, PASSWORD).await?, "");
    simulation.replicate(first, second);
    assert_eq!(try_logon(&simulation, 1, NEW).await?, "");
    Ok(())
}

#[tokio::test]
async fn of_two_writes_the_later_one_stays_and_the_earlier_leaves_no_trace() -> Result<()> {
    let clock = ad_sim::Clock::following();
    let simulation = start(Settings { clock, ..two() }).await?;
    let dn = add_ada(&simulation)?;
    simulation.replicate_all();
    let here = log_on(&simulation, 0).await?;
    let there = log_on(&simulation, 1).await?;

    assert_eq!(here.modify(&dn, &[Change::Reset(NEW)]).await?.0, 0);
    simulation.advance(std::time::Duration::from_secs(5));
    assert_eq!(there.modify(&dn, &[Change::Reset(OTHER)]).await?.0, 0);
    assert_eq!(try_logon(&simulation, 0, NEW).await?, "");
    simulation.replicate_all();

    assert_eq!(try_logon(&simulation, 0, OTHER).await?, "");
    assert_eq!(try_logon(&simulation, 0, NEW).await?, "52e");
    assert_eq!(try_logon(&simulation, 1, OTHER).await?, "");
    Ok(())
}

#[tokio::test]
async fn renames_memberships_and_deletions_arrive() -> Result<()> {
    let simulation = start(two()).await?;
    let dn = add_ada(&simulation)?;
    let first = simulation.controller();
    let (group, ou) = first.edit(|directory| {
        let (users, base) = (directory.users(), directory.base());
        let group = directory.add_group(&users, "Keys")?;
        directory.join(&group, &dn)?;
        Ok::<_, ad_sim::Refused>((group, directory.add_ou(&base, "Elsewhere")?))
    })?;
    simulation.replicate_all();
    let there = log_on(&simulation, 1).await?;
    assert_eq!(
        there.get(&group, &["member"]).await?.texts("member"),
        [dn.clone()].into()
    );

    let moved = first.edit(|directory| {
        let renamed = directory.rename(&dn, "Lovelace, Ada")?;
        directory.move_to(&renamed, &ou)
    })?;
    simulation.replicate_all();
    assert_eq!(
        there.get(&group, &["member"]).await?.texts("member"),
        [moved.clone()].into()
    );

    first.edit(|directory| directory.leave(&group, &moved))?;
    simulation.replicate_all();
    assert!(!there.get(&group, &["member"]).await?.has("member"));

    first.edit(|directory| directory.delete(&moved))?;
    simulation.replicate_all();
    assert!(there.read(&moved, &["cn"]).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_cookie_goes_on_at_another_controller_and_after_a_restore_nothing_is_lost() -> Result<()>
{
    let simulation = start(two()).await?;
    let dn = add_ada(&simulation)?;
    simulation.replicate_all();
    let base = simulation.controller().edit(|directory| directory.base());
    let [here, there] = [log_on(&simulation, 0).await?, log_on(&simulation, 1).await?];
    let guid = here.get(&dn, &["objectGUID"]).await?.guid();
    let round = async |client: &contract::Client, cookie: &[u8]| {
        let asked = vec![control::dirsync(0x8000_0000, cookie)];
        let attributes = ["title", "name"];
        let answer = client
            .search(&base, Scope::Subtree, "(objectClass=*)", &attributes, asked)
            .await?;
        let value = answer.control(control::DIRSYNC).context("no control")?;
        Ok::<_, anyhow::Error>((control::cookie(value), answer))
    };
    let (cookie, _) = round(&here, &[]).await?;

    here.modify(&dn, &[Change::Replace("title", "Countess")])
        .await?;
    simulation.replicate_all();
    let (_, answer) = round(&there, &cookie).await?;
    assert_eq!(answer.of(&guid).context("lost")?.text("title"), "Countess");
    assert_eq!(answer.entries.len(), 1, "{:?}", answer.firsts("name"));

    // Restored from a backup, it counts anew: what it wrote before is known by its old name.
    let dse = here
        .get("", &["dsServiceName"])
        .await?
        .text("dsServiceName");
    let before = here.get(&dse, &["invocationId"]).await?;
    simulation.controller().renew_invocation();
    let after = here.get(&dse, &["invocationId"]).await?;
    assert_ne!(before.values("invocationId"), after.values("invocationId"));
    let (_, answer) = round(&here, &cookie).await?;
    assert_eq!(answer.of(&guid).context("lost")?.text("title"), "Countess");
    Ok(())
}
