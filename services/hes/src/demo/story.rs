//! The story: a domain is added, tested and imported, changes, and survives a mistake.

use super::company::{Company, DOMAIN, EVERYBODY, FIELD_STAFF, SYNC_GROUP};
use super::narrator::Narrator;
use crate::failure::{Exit, Failure};
use crate::output::last_part;

pub(super) async fn tell(narrator: &Narrator<'_>, company: &Company) -> Result<(), Failure> {
    arrival(narrator, company).await?;
    import(narrator).await?;
    a_working_day(narrator, company).await?;
    a_mistake(narrator, company).await?;
    a_key(narrator, company).await?;
    narrator.chapter(
        "That was it.",
        "A directory was added, tested, imported and kept right, a mistake in it harmed nobody, and a password changed by \
         itself, into a key.",
    )
}

async fn arrival(narrator: &Narrator<'_>, company: &Company) -> Result<(), Failure> {
    narrator.chapter(
        "1. A company's directory",
        &format!(
            "An Active Directory is simulated in this process, with the limits that Windows has, and served over LDAPS at \
             {}. Its group `{SYNC_GROUP}` says who gets a security key. In it are two more groups: Engineering, with a \
             group in it, and Field Staff, with {FIELD_STAFF} people. Among them are two people called John Smith, one \
             whose account is disabled, and one without a mail address.\n\
             First, the directory is made known. The account needs no more rights than any user has; its password comes \
             from a file, is sealed, and is never shown again. ($DEMO stands for {}.)",
            company.server(),
            narrator.folder()
        ),
    )?;
    let add = format!(
        "domain add ad corp --domain-name {DOMAIN} --server {} --ca-file $DEMO/corp-ca.pem --logon-name {} \
         --password-file $DEMO/svc-hes.password",
        company.server(),
        company.logon_name()
    );
    narrator.hes(&add, None).await?;
    narrator.chapter(
        "2. Is everything in place?",
        "Every step is tried and graded, from the server's name to the rights of the account, with what to do where one \
         fails. Nothing is changed by it.",
    )?;
    narrator.hes("domain test corp", None).await
}

async fn import(narrator: &Narrator<'_>) -> Result<(), Failure> {
    narrator.chapter(
        "3. The first import",
        "The directory is read to its end, page by page, and what was read is compared with what is known. Members of \
         nested groups are found, and of the large group all, though a domain controller gives 1,500 at a time.",
    )?;
    narrator.hes("sync run corp --wait", None).await?;
    narrator
        .employees("everybody is an employee", |employees| {
            employees.len() == EVERYBODY
        })
        .await?;
    narrator.say(&format!(
        "\n{EVERYBODY} people have become employees. The two of one name stayed two: people are told apart by the id their \
         directory gave them, never by a name."
    ))?;
    narrator.hes("employee list --query john", None).await?;
    let employees = narrator.employees("two John Smiths", |_| true).await?;
    let named = |name: &str| {
        employees
            .iter()
            .filter(|employee| employee.display_name == name)
            .count()
    };
    let disabled = employees
        .iter()
        .any(|employee| employee.display_name == "Charles Babbage" && !employee.active);
    let without_mail = employees
        .iter()
        .any(|employee| employee.display_name == "Konrad Zuse" && employee.mail.is_empty());
    check(
        "there are two people called John Smith",
        named("John Smith") == 2,
    )?;
    check("the disabled account is inactive", disabled)?;
    check(
        "the person without a mail address was imported",
        without_mail,
    )
}

async fn a_working_day(narrator: &Narrator<'_>, company: &Company) -> Result<(), Failure> {
    company.a_day_passes()?;
    narrator.chapter(
        "4. A working day",
        "Grace Hopper is promoted. Barbara Liskov marries: her name changes, and she moves to London, which in a directory \
         is another place in the tree. Konrad Zuse leaves the group. A sync runs by itself every hour; this one is asked for.",
    )?;
    narrator.hes("sync run corp --wait", None).await?;
    let employees = narrator
        .employees("the day's changes", |employees| {
            let seen = |name: &str, title: &str, active: bool| {
                employees.iter().any(|employee| {
                    employee.display_name == name
                        && employee.title == title
                        && employee.active == active
                })
            };
            seen("Grace Hopper", "Rear Admiral", true)
                && seen("Barbara Liskov-Hamilton", "Engineer", true)
                && seen("Konrad Zuse", "Engineer", false)
        })
        .await?;
    check("nobody came or went", employees.len() == EVERYBODY)?;
    narrator.say("\nShe is the same employee under her new name, and he is inactive, not deleted: should he return, he is known.")?;
    narrator.hes("employee list --query barbara", None).await?;
    narrator.hes("employee list --query konrad", None).await
}

async fn a_mistake(narrator: &Narrator<'_>, company: &Company) -> Result<(), Failure> {
    company.the_large_group_is_emptied()?;
    narrator.chapter(
        "5. A mistake",
        &format!(
            "Somebody empties the group Field Staff: {FIELD_STAFF} people seem to have left overnight. A plan that removes \
             more than a twentieth of the people is held for a person to decide, and nothing of it is applied."
        ),
    )?;
    narrator
        .hes("sync run corp --wait", Some(Exit::Held))
        .await?;
    let employees = narrator
        .employees("everybody is still there", |_| true)
        .await?;
    let active = employees.iter().filter(|employee| employee.active).count();
    // Two are not: the one whose account is disabled, and the one who left.
    check("nobody was harmed by the mistake", active == EVERYBODY - 2)?;
    narrator.say(&format!(
        "\n{active} employees are active, as before. Exit code 3 tells a script that somebody must look. The group is filled \
         again, and the next plan takes the place of the held one."
    ))?;
    company.the_large_group_is_filled_again()?;
    narrator.hes("sync run corp --wait", None).await?;
    narrator.hes("status", None).await
}

async fn a_key(narrator: &Narrator<'_>, company: &Company) -> Result<(), Failure> {
    narrator.chapter(
        "6. A key, and a password that nobody types",
        "Ada Lovelace is in the group Security Key Auto Password Change: every 28 days she gets a new password, which her key \
         keeps and types. Who is due when is known beforehand; nobody is changed on the day they join.",
    )?;
    narrator.hes("rotation forecast corp", None).await?;
    narrator.say(
        "\nA key is enrolled with two public keys: passwords are sealed to the one, and the other proves that the key is there. \
         Here a folder stands for it. The program beside it has a token of its own, good for one domain's deliveries and \
         nothing else.",
    )?;
    let employees = narrator.employees("Ada is known", |_| true).await?;
    let ada = employees
        .iter()
        .find(|employee| employee.display_name == "Ada Lovelace")
        .map(|employee| last_part(&employee.name).to_owned())
        .unwrap_or_default();
    let client = "delivery client add desk-4 --domain corp --token-file $DEMO/desk-4.token";
    narrator.hes(client, None).await?;
    let enrol = format!("delivery target add {ada} --store $DEMO/key --name \"Ada's key\"");
    narrator.hes(&enrol, None).await?;
    narrator.say(
        "\nThe key comes online, and her password is made due. It is generated, sealed to the key, stored there as pending, \
         and only then set in the directory; proven by the directory's own record, made current, and acknowledged. Nobody \
         could read it on the way, and from then on this server can't either.",
    )?;
    let key = narrator.key("key", "desk-4.token")?;
    let changed = async {
        narrator.hes(&format!("rotation now {ada}"), None).await?;
        narrator.rotated(&ada).await
    };
    tokio::select! {
        changed = changed => changed?,
        ended = key.serve() => ended?,
    }
    narrator
        .hes(&format!("rotation list --employee {ada} --all"), None)
        .await?;
    let current = key.current()?;
    check(
        "the key's password is the one that the directory knows",
        company.ada_logs_on(&current),
    )?;
    drop(key);
    narrator
        .hes("delivery store --store $DEMO/key", None)
        .await?;
    narrator
        .say("\nAt a workstation of the company, Ada was just logged on with what her key keeps.")
}

fn check(what: &str, is_so: bool) -> Result<(), Failure> {
    if is_so {
        return Ok(());
    }
    Err(Failure::new("the demo did not go as it should").because(format!("not so: {what}")))
}
