//! Several directories at once: apart in failure, joined only where it is certain.

use anyhow::{Context, Result};
use e2e::{GROUP, Hes, People, ROTATION_GROUP, add_domain};
use serde_json::Value;
use std::time::Duration;
use testkit::samba::{NewUser, Options};
use testkit::{Samba, poll_until};

struct Forests {
    hes: Hes,
    corp: Samba,
    labs: Samba,
}

async fn forest(name: &str, people: &[(&str, &str)]) -> Result<Samba> {
    let samba = Samba::start(Options::domain(name)).await?;
    samba.create_group(GROUP).await?;
    samba.create_group(ROTATION_GROUP).await?;
    for (logon, mail) in people {
        samba
            .create_user(NewUser::named(*logon).mail(*mail))
            .await?;
        samba.add_members(GROUP, &[logon]).await?;
    }
    Ok(samba)
}

impl Forests {
    async fn new(corp: &[(&str, &str)], labs: &[(&str, &str)]) -> Result<Self> {
        let (corp, labs) = (
            forest("corp.test", corp).await?,
            forest("labs.test", labs).await?,
        );
        let hes = Hes::up().await?;
        let shared = ["--mail-suffix", "corp.test"];
        for (id, samba) in [("corp", &corp), ("labs", &labs)] {
            let ran = add_domain(&hes, samba, id, &samba.ldaps_url(), &shared).await?;
            anyhow::ensure!(ran.code == 0, "{ran:?}");
        }
        Ok(Self { hes, corp, labs })
    }

    async fn sync(&self, id: &str) -> Result<i32> {
        Ok(self.hes.words(&format!("sync run {id} --wait")).await?.code)
    }

    /// Waits for so many employees with so many accounts in all: accounts come one by one.
    async fn employees(&self, count: usize, accounts: usize) -> Result<Vec<Value>> {
        let mut last = Value::Null;
        poll_until(Duration::from_secs(30), "the employees", async || {
            last = self.hes.json("employee list --limit 0").await.ok()?;
            let list = last.as_array()?;
            let held: usize = list.iter().map(|employee| logons(employee).len()).sum();
            (list.len() == count && held == accounts).then(|| list.clone())
        })
        .await
        .with_context(|| format!("{last:#}"))
    }

    async fn proposals(&self, count: usize) -> Result<Vec<Value>> {
        let mut last = Value::Null;
        poll_until(Duration::from_secs(30), "the proposals", async || {
            last = self.hes.json("employee proposals").await.ok()?;
            let list = last.as_array()?;
            (list.len() == count).then(|| list.clone())
        })
        .await
        .with_context(|| format!("{last:#}"))
    }
}

fn logons(employee: &Value) -> Vec<&str> {
    let accounts = employee.pointer("/accounts").and_then(Value::as_array);
    let mut logons: Vec<_> = accounts
        .into_iter()
        .flatten()
        .filter_map(|account| account.pointer("/account/logonName")?.as_str())
        .collect();
    logons.sort_unstable();
    logons
}

#[tokio::test]
async fn one_failing_domain_leaves_the_other_alone() -> Result<()> {
    let forests = Forests::new(&[("ada", "ada@corp.test")], &[("bob", "bob@labs.test")]).await?;
    assert_eq!(
        (forests.sync("corp").await?, forests.sync("labs").await?),
        (0, 0)
    );
    forests.employees(2, 2).await?;
    forests.labs.kill();
    forests.corp.create_user(NewUser::named("carl")).await?;
    forests.corp.add_members(GROUP, &["carl"]).await?;

    let (labs, corp) = tokio::join!(forests.sync("labs"), forests.sync("corp"));

    assert_eq!((labs?, corp?), (1, 0));
    forests.employees(3, 3).await?;
    assert!(People::of(&forests.hes).await?.get("bob")?.active);
    Ok(())
}

#[tokio::test]
async fn one_person_in_two_domains_is_one_employee_until_a_person_says_otherwise() -> Result<()> {
    let forests = Forests::new(
        &[("ada", "Ada@corp.test")],
        &[("lovelace", "ada@CORP.test")],
    )
    .await?;
    assert_eq!(
        (forests.sync("corp").await?, forests.sync("labs").await?),
        (0, 0)
    );
    let employees = forests.employees(1, 2).await?;
    let ada = employees.first().context("one")?;
    assert_eq!(logons(ada), ["ada", "lovelace"]);

    let account = ada
        .pointer("/accounts/1/account/name")
        .and_then(Value::as_str)
        .context("a name")?;
    let id = ada
        .pointer("/name")
        .and_then(Value::as_str)
        .context("a name")?;
    let ran = forests
        .hes
        .words(&format!("employee unlink {id} {account} --yes"))
        .await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    forests.employees(2, 2).await?;
    // Changes on both sides do not bring it back.
    forests.labs.set("lovelace", "title", &["Countess"]).await?;
    forests.corp.set("ada", "title", &["Analyst"]).await?;
    assert_eq!(
        (forests.sync("corp").await?, forests.sync("labs").await?),
        (0, 0)
    );
    let people = forests.employees(2, 2).await?;
    assert!(people.iter().all(|employee| logons(employee).len() == 1));
    Ok(())
}

#[tokio::test]
async fn a_stolen_mail_address_links_nobody() -> Result<()> {
    let corp = [
        ("chief", "chief@corp.test"),
        ("mallory", "mallory@corp.test"),
    ];
    let forests = Forests::new(&corp, &[("eve", "eve@corp.test")]).await?;
    assert_eq!(
        (forests.sync("corp").await?, forests.sync("labs").await?),
        (0, 0)
    );
    let before = forests.employees(3, 3).await?;

    // In the same domain, and in the other one.
    forests
        .corp
        .set("mallory", "mail", &["chief@corp.test"])
        .await?;
    forests
        .labs
        .set("eve", "mail", &["chief@corp.test"])
        .await?;
    assert_eq!(
        (forests.sync("corp").await?, forests.sync("labs").await?),
        (0, 0)
    );

    let mails = async |logon: &str| -> Option<String> {
        let people = People::of(&forests.hes).await.ok()?;
        Some(people.get(logon).ok()?.text("/mail").to_owned())
    };
    poll_until(
        Duration::from_secs(30),
        "the new mail addresses",
        async || {
            (mails("mallory").await? == "chief@corp.test"
                && mails("eve").await? == "chief@corp.test")
                .then_some(())
        },
    )
    .await?;
    let after = forests.employees(3, 3).await?;
    let ids = |list: &[Value]| -> Vec<_> {
        list.iter()
            .map(|employee| (employee["name"].clone(), logons(employee).join("+")))
            .collect()
    };
    assert_eq!(ids(&after), ids(&before), "a change of mail moves no link");

    // Somebody new who carries the stolen address is for a person to decide: it matches two.
    forests
        .labs
        .create_user(NewUser::named("trent").mail("chief@corp.test"))
        .await?;
    forests.labs.add_members(GROUP, &["trent"]).await?;
    assert_eq!(forests.sync("labs").await?, 0);
    let employees = forests.employees(4, 4).await?;
    assert!(
        employees.iter().all(|employee| logons(employee).len() == 1),
        "{employees:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_privileged_match_is_only_proposed() -> Result<()> {
    let forests = Forests::new(
        &[("root", "root@corp.test")],
        &[("visitor", "root@corp.test")],
    )
    .await?;
    forests.corp.add_members("Domain Admins", &["root"]).await?;
    forests.corp.set("root", "adminCount", &["1"]).await?;
    assert_eq!(
        (forests.sync("corp").await?, forests.sync("labs").await?),
        (0, 0)
    );
    forests.employees(2, 2).await?;

    let proposals = forests.proposals(1).await?;

    let id = proposals
        .first()
        .and_then(|proposal| proposal["name"].as_str())
        .context("a name")?;
    let ran = forests
        .hes
        .words(&format!("employee proposals accept {id}"))
        .await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    let employees = forests.employees(1, 2).await?;
    assert_eq!(employees.first().map(logons), Some(vec!["root", "visitor"]));
    Ok(())
}
