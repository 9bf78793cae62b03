use ad_sim::{Fault, Operation, Settings, When, company};
use anyhow::Result;
use contract::{Change, control};
use ldap3::Scope;

use crate::{add_ada, log_on, start, try_logon};

fn next(operation: Operation) -> When {
    When {
        operation,
        after: 0,
    }
}

#[tokio::test]
async fn each_fault_strikes_once_where_the_script_says() -> Result<()> {
    let simulation = start(Settings::new("corp.test")).await?;
    let controller = simulation.controller();
    let dn = add_ada(&simulation)?;
    let base = controller.edit(|directory| directory.base());
    let everything = "(objectClass=*)";

    let client = log_on(&simulation, 0).await?;
    controller.fail(
        When {
            operation: Operation::Search,
            after: 1,
        },
        Fault::Refuse(51),
    );
    assert_eq!(client.find(&base, everything, &["cn"]).await?.code, 0);
    assert_eq!(client.find(&base, everything, &["cn"]).await?.code, 51);
    assert_eq!(client.find(&base, everything, &["cn"]).await?.code, 0);
    controller.fail(next(Operation::Search), Fault::RefuseAfter(3, 52));
    let answer = client.find(&base, everything, &["cn"]).await?;
    assert_eq!((answer.code, answer.entries.len()), (52, 3));
    for fault in [Fault::Drop, Fault::CutAfter(2), Fault::Garble] {
        let client = log_on(&simulation, 0).await?;
        controller.fail(next(Operation::Search), fault.clone());
        let answer = client.find(&base, everything, &["cn"]).await;
        assert!(answer.is_err(), "{fault:?}: {answer:?}");
    }

    // Done, and not told: what a client can't know from the lost connection.
    let client = log_on(&simulation, 0).await?;
    controller.fail(next(Operation::Modify), Fault::DropAfter);
    assert!(
        client
            .modify(&dn, &[Change::Reset("N3w-Passw0rd!")])
            .await
            .is_err()
    );
    assert_eq!(try_logon(&simulation, 0, "N3w-Passw0rd!").await?, "");
    // Neither done nor told.
    let client = log_on(&simulation, 0).await?;
    controller.fail(next(Operation::Modify), Fault::Drop);
    assert!(
        client
            .modify(&dn, &[Change::Reset("N3wer-Passw0rd!")])
            .await
            .is_err()
    );
    assert_eq!(try_logon(&simulation, 0, "N3wer-Passw0rd!").await?, "52e");
    Ok(())
}

#[tokio::test]
async fn a_connection_keeps_ten_paged_searches_open_and_no_other_can_go_on_with_them() -> Result<()>
{
    let simulation = start(Settings::new("corp.test")).await?;
    let base = simulation.controller().edit(|directory| {
        company::populate(directory, "Staff", "Everybody", 30, 10)?;
        Ok::<_, ad_sim::Refused>(directory.base())
    })?;
    let client = log_on(&simulation, 0).await?;
    let page = async |client: &contract::Client, cookie: &[u8]| {
        let controls = vec![control::paged(1, cookie)];
        client
            .search(
                &base,
                Scope::Subtree,
                "(sAMAccountName=u*)",
                &["cn"],
                controls,
            )
            .await
    };
    let mut cookies = Vec::new();
    for _ in 0..=ad_sim::MAX_RESULT_SETS {
        let answer = page(&client, &[]).await?;
        let value = answer.control(control::PAGED).unwrap_or_default();
        cookies.push(control::cookie(value));
    }

    assert_eq!(page(&client, &cookies[0]).await?.code, 12);
    let other = log_on(&simulation, 0).await?;
    assert_eq!(page(&other, &cookies[1]).await?.code, 12);
    assert_eq!(page(&client, &cookies[1]).await?.code, 0);
    Ok(())
}
