use std::time::Duration;

use ad_sim::{Policy, Pso, Settings};
use anyhow::Result;
use contract::Change;

use crate::{PASSWORD, add_ada, log_on, start, try_logon};

const MINUTE: u64 = 60;
/// Ticks of 100 ns in a minute.
const TICKS: i64 = 600_000_000;

#[tokio::test]
async fn wrong_passwords_lock_out_until_time_or_an_administrator_unlocks() -> Result<()> {
    let policy = Policy {
        lockout_threshold: 3,
        lockout_duration: 30 * TICKS,
        lockout_window: 10 * TICKS,
        ..Policy::default()
    };
    let simulation = start(Settings {
        policy,
        ..Settings::new("corp.test")
    })
    .await?;
    let dn = add_ada(&simulation)?;
    let admin = log_on(&simulation, 0).await?;
    let wrong = async || try_logon(&simulation, 0, "wr0ng-Passw0rd!").await;

    // Outside of the window they don't add up.
    assert_eq!([wrong().await?, wrong().await?], ["52e", "52e"]);
    simulation.advance(Duration::from_secs(11 * MINUTE));
    assert_eq!([wrong().await?, wrong().await?], ["52e", "52e"]);
    assert_eq!(try_logon(&simulation, 0, PASSWORD).await?, "");
    // Three in a row do, and then the right one is of no use, nor told apart.
    for _ in 0..3 {
        assert_eq!(wrong().await?, "52e");
    }
    assert_eq!(
        [wrong().await?, try_logon(&simulation, 0, PASSWORD).await?],
        ["775", "775"]
    );
    let computed = "msDS-User-Account-Control-Computed";
    assert_eq!(admin.get(&dn, &[computed]).await?.text(computed), "16");
    // A reset doesn't unlock.
    assert_eq!(
        admin
            .modify(&dn, &[Change::Reset("N3w-Passw0rd!")])
            .await?
            .0,
        0
    );
    assert_eq!(try_logon(&simulation, 0, "N3w-Passw0rd!").await?, "775");
    admin
        .modify(&dn, &[Change::Replace("lockoutTime", "0")])
        .await?;
    assert_eq!(try_logon(&simulation, 0, "N3w-Passw0rd!").await?, "");
    for _ in 0..3 {
        wrong().await?;
    }
    simulation.advance(Duration::from_secs(31 * MINUTE));
    assert_eq!(try_logon(&simulation, 0, "N3w-Passw0rd!").await?, "");
    Ok(())
}

#[tokio::test]
async fn the_password_before_is_taken_for_an_hour_and_the_one_before_that_does_no_harm()
-> Result<()> {
    let simulation = start(Settings::new("corp.test")).await?;
    let dn = add_ada(&simulation)?;
    let admin = log_on(&simulation, 0).await?;
    let bad = async || {
        Ok::<_, anyhow::Error>(admin.get(&dn, &["badPwdCount"]).await?.text("badPwdCount"))
    };

    admin.modify(&dn, &[Change::Reset("N3w-Passw0rd!")]).await?;
    assert_eq!(try_logon(&simulation, 0, PASSWORD).await?, "");
    simulation.advance(Duration::from_secs(61 * MINUTE));
    assert_eq!(try_logon(&simulation, 0, PASSWORD).await?, "52e");
    admin
        .modify(&dn, &[Change::Reset("N3wer-Passw0rd!")])
        .await?;
    assert_eq!(try_logon(&simulation, 0, PASSWORD).await?, "52e");
    assert_eq!(bad().await?, "0");
    assert_eq!(try_logon(&simulation, 0, "never-Was-0ne!").await?, "52e");
    assert_eq!(bad().await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_password_expires_and_a_settings_object_has_its_own_rules() -> Result<()> {
    let simulation = start(Settings::new("corp.test")).await?;
    let dn = add_ada(&simulation)?;
    let admin = log_on(&simulation, 0).await?;
    simulation.advance(Duration::from_secs(43 * 24 * 60 * MINUTE));
    assert_eq!(try_logon(&simulation, 0, PASSWORD).await?, "532");

    let strict = Policy {
        min_length: 20,
        max_age: 0,
        ..Policy::default()
    };
    let pso = simulation.controller().edit(|directory| {
        let users = directory.users();
        let group = directory.add_group(&users, "Strict")?;
        directory.join(&group, &dn)?;
        let for_group = [group.as_str()];
        let pso = |name, precedence, policy| Pso {
            name,
            precedence,
            policy,
            applies_to: &for_group,
        };
        directory.add_pso(&pso("Lax", 20, Policy::default()))?;
        directory.add_pso(&pso("Strict", 10, strict))
    })?;
    let resultant = "msDS-ResultantPSO";
    assert_eq!(admin.get(&dn, &[resultant]).await?.text(resultant), pso);
    assert_eq!(try_logon(&simulation, 0, PASSWORD).await?, "");
    assert_eq!(
        admin
            .modify(&dn, &[Change::Reset("N3w-Passw0rd!")])
            .await?
            .0,
        53
    );
    let long = "A-l0ng-enough-Passw0rd!";
    assert_eq!(admin.modify(&dn, &[Change::Reset(long)]).await?.0, 0);
    Ok(())
}

#[tokio::test]
async fn a_delegated_right_to_reset_ends_at_administrators() -> Result<()> {
    use ad_sim::{Ace, Class, Inherit, NewUser, extended, right};

    let simulation = start(Settings::new("corp.test")).await?;
    let dn = add_ada(&simulation)?;
    let admin_dn = simulation.controller().edit(|directory| {
        let (base, users) = (directory.base(), directory.users());
        let helper = NewUser {
            name: "helper",
            logon: "helper",
            password: PASSWORD,
            ..NewUser::default()
        };
        let helper = directory.add_user(&users, &helper)?;
        let reset = Ace::allow(&directory.sid(&helper)?, right::CONTROL_ACCESS)
            .on(extended::RESET_PASSWORD)
            .inherited_by(Inherit::Only(Class::User));
        directory.grant(&base, reset)?;
        directory.dn_of_logon("Administrator")
    })?;
    let helper = crate::connect(&simulation, 0).await?;
    assert_eq!(helper.bind("helper@corp.test", PASSWORD).await?.0, 0);

    assert_eq!(
        helper
            .modify(&dn, &[Change::Reset("N3w-Passw0rd!")])
            .await?
            .0,
        0
    );
    assert_eq!(
        helper
            .modify(&admin_dn, &[Change::Reset("N3w-Passw0rd!")])
            .await?
            .0,
        50
    );
    assert_eq!(
        helper
            .modify(&dn, &[Change::Replace("title", "x")])
            .await?
            .0,
        50
    );
    Ok(())
}
