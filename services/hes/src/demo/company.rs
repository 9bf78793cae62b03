//! The simulated company: who is there before the story begins.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use ad_sim::{
    Ace, Class, Controller, Inherit, NewUser, Refused, Settings, Simulation, extended, right,
};

use secrecy::{ExposeSecret as _, SecretString};

use crate::failure::Failure;

pub(super) const DOMAIN: &str = "corp.example";
pub(super) const SYNC_GROUP: &str = "Security Key Owners";
const ROTATION_GROUP: &str = "Security Key Auto Password Change";
const SERVICE: &str = "svc-hes";
/// People of the one large group: more than Windows gives at once.
pub(super) const FIELD_STAFF: usize = 2000;

/// Who is told of by name.
pub(super) struct Named {
    pub(super) name: &'static str,
    logon: &'static str,
    given: &'static str,
    family: &'static str,
    office: &'static str,
    has_mail: bool,
    is_disabled: bool,
    group: &'static str,
}

const fn person(
    name: &'static str,
    logon: &'static str,
    given: &'static str,
    family: &'static str,
    office: &'static str,
    group: &'static str,
) -> Named {
    Named {
        name,
        logon,
        given,
        family,
        office,
        has_mail: true,
        is_disabled: false,
        group,
    }
}

const PEOPLE: [Named; 8] = [
    person(
        "Ada Lovelace",
        "ada",
        "Ada",
        "Lovelace",
        "London",
        SYNC_GROUP,
    ),
    person(
        "Grace Hopper",
        "grace",
        "Grace",
        "Hopper",
        "New York",
        SYNC_GROUP,
    ),
    person(
        "Barbara Liskov",
        "barbara",
        "Barbara",
        "Liskov",
        "New York",
        "Platform",
    ),
    person(
        "Edsger Dijkstra",
        "edsger",
        "Edsger",
        "Dijkstra",
        "London",
        "Platform",
    ),
    // Two people of one name: only their offices tell them apart, and their GUIDs.
    person(
        "John Smith",
        "jsmith",
        "John",
        "Smith",
        "London",
        "Engineering",
    ),
    person(
        "John Smith",
        "jsmith2",
        "John",
        "Smith",
        "New York",
        "Engineering",
    ),
    Named {
        has_mail: false,
        ..person(
            "Konrad Zuse",
            "konrad",
            "Konrad",
            "Zuse",
            "London",
            "Engineering",
        )
    },
    Named {
        is_disabled: true,
        ..person(
            "Charles Babbage",
            "charles",
            "Charles",
            "Babbage",
            "London",
            SYNC_GROUP,
        )
    },
];

/// How many people the sync group leads to.
pub(super) const EVERYBODY: usize = PEOPLE.len() + FIELD_STAFF;

/// The directory, and what it takes to be let in.
pub(super) struct Company {
    simulation: Simulation,
    pub(super) ca_file: PathBuf,
    pub(super) password_file: PathBuf,
    field_staff: Vec<String>,
}

impl Company {
    /// Founds it. The files are what an administrator would be given.
    pub(super) async fn open(folder: &Path) -> Result<Self, Failure> {
        let failed = || Failure::new("could not simulate a directory");
        let simulation = Simulation::start(Settings::new(DOMAIN))
            .await
            .map_err(|error| failed().caused_by(&error))?;
        // Made of what nobody else knows; nobody but this process ever needs it.
        let password = format!("{}-svc", simulation.administrator_password());
        let field_staff = found(simulation.controller(), &password)
            .map_err(|error| failed().caused_by(&error))?;
        let (ca_file, password_file) =
            (folder.join("corp-ca.pem"), folder.join("svc-hes.password"));
        for (path, text) in [
            (&ca_file, simulation.authority()),
            (&password_file, &password),
        ] {
            write(path, text).map_err(|error| failed().caused_by(&error))?;
        }
        Ok(Self {
            simulation,
            ca_file,
            password_file,
            field_staff,
        })
    }

    pub(super) fn server(&self) -> String {
        let port = self.simulation.controller().address().port();
        format!("ldaps://localhost:{port}")
    }

    pub(super) fn logon_name(&self) -> String {
        format!("{SERVICE}@{DOMAIN}")
    }

    /// Whether Ada gets in with a password, at a workstation of the company.
    pub(super) fn ada_logs_on(&self, password: &SecretString) -> bool {
        let name = format!("ada@{DOMAIN}");
        self.simulation
            .controller()
            .edit(|directory| directory.logs_on(&name, password.expose_secret()))
    }

    /// A working day: a promotion, a wedding with a move to another office, and somebody who leaves.
    pub(super) fn a_day_passes(&self) -> Result<(), Failure> {
        self.edit(|directory| {
            let grace = directory.dn_of_logon("grace")?;
            directory.set(&grace, "title", &["Rear Admiral"])?;
            let barbara = directory.dn_of_logon("barbara")?;
            let barbara = directory.rename(&barbara, "Barbara Liskov-Hamilton")?;
            directory.set(&barbara, "sn", &["Liskov-Hamilton"])?;
            directory.set(&barbara, "displayName", &["Barbara Liskov-Hamilton"])?;
            let london = format!("OU=London,{}", directory.base());
            directory.move_to(&barbara, &london)?;
            let konrad = directory.dn_of_logon("konrad")?;
            directory.leave(&group("Engineering", directory), &konrad)
        })
    }

    /// Somebody empties the largest group by mistake.
    pub(super) fn the_large_group_is_emptied(&self) -> Result<(), Failure> {
        self.edit(|directory| directory.set_members(&group("Field Staff", directory), &[]))
    }

    /// The mistake is found.
    pub(super) fn the_large_group_is_filled_again(&self) -> Result<(), Failure> {
        let members: Vec<&str> = self.field_staff.iter().map(String::as_str).collect();
        self.edit(|directory| directory.set_members(&group("Field Staff", directory), &members))
    }

    fn edit(
        &self,
        edit: impl FnOnce(&mut ad_sim::Directory<'_>) -> Result<(), Refused>,
    ) -> Result<(), Failure> {
        self.simulation.controller().edit(edit).map_err(|error| {
            Failure::new("could not change the simulated directory").caused_by(&error)
        })
    }
}

/// For nobody else to read.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

fn group(name: &str, directory: &ad_sim::Directory<'_>) -> String {
    format!("CN={name},OU=Groups,{}", directory.base())
}

/// Returns who is in the large group.
fn found(controller: &Controller, password: &str) -> Result<Vec<String>, Refused> {
    controller.edit(|directory| {
        let base = directory.base();
        let groups = directory.add_ou(&base, "Groups")?;
        for name in [
            SYNC_GROUP,
            ROTATION_GROUP,
            "Engineering",
            "Platform",
            "Field Staff",
        ] {
            directory.add_group(&groups, name)?;
        }
        let at = |name: &str| format!("CN={name},{groups}");
        for (inner, outer) in [
            ("Platform", "Engineering"),
            ("Engineering", SYNC_GROUP),
            ("Field Staff", SYNC_GROUP),
        ] {
            directory.join(&at(outer), &at(inner))?;
        }
        for office in ["London", "New York", "Field"] {
            directory.add_ou(&base, office)?;
        }
        for person in &PEOPLE {
            let mail = if person.has_mail {
                format!("{}@{DOMAIN}", person.logon)
            } else {
                String::new()
            };
            let user = NewUser {
                name: person.name,
                logon: person.logon,
                given_name: person.given,
                surname: person.family,
                mail: &mail,
                department: "Engineering",
                title: "Engineer",
                is_disabled: person.is_disabled,
                // One that they chose: without any they would have to choose one first. Nobody needs to know it.
                password: &format!("{password}-{}", person.logon),
            };
            let dn = directory.add_user(&format!("OU={},{base}", person.office), &user)?;
            directory.join(&at(person.group), &dn)?;
        }
        directory.join(&at(ROTATION_GROUP), &directory.dn_of_logon("ada")?)?;
        let mut staff = Vec::with_capacity(FIELD_STAFF);
        for number in 1..=FIELD_STAFF {
            let (name, logon) = (
                format!("Field Worker {number:04}"),
                format!("field{number:04}"),
            );
            let mail = format!("{logon}@{DOMAIN}");
            let user = NewUser {
                name: &name,
                logon: &logon,
                mail: &mail,
                department: "Field",
                ..NewUser::default()
            };
            staff.push(directory.add_user(&format!("OU=Field,{base}"), &user)?);
        }
        let members: Vec<&str> = staff.iter().map(String::as_str).collect();
        directory.set_members(&at("Field Staff"), &members)?;
        let service = NewUser {
            name: SERVICE,
            logon: SERVICE,
            password,
            ..NewUser::default()
        };
        let service = directory.add_user(&directory.users(), &service)?;
        let sid = directory.sid(&service)?;
        // What the README tells an administrator to delegate, and no more.
        let deleted = format!("CN=Deleted Objects,{base}");
        directory.grant(
            &deleted,
            Ace::allow(&sid, right::READ).inherited_by(Inherit::All),
        )?;
        for office in ["London", "New York", "Field"] {
            let reset = Ace::allow(&sid, right::CONTROL_ACCESS)
                .on(extended::RESET_PASSWORD)
                .inherited_by(Inherit::Only(Class::User));
            directory.grant(&format!("OU={office},{base}"), reset)?;
        }
        Ok(staff)
    })
}
