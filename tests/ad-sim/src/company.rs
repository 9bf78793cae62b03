//! A population of any size, the same at every start.

use crate::directory::{Directory, NewUser, Refused};

const GIVEN: [&str; 16] = [
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Margaret", "Niklaus",
    "Radia", "Tony", "Hedy", "Leslie", "Sophie", "John",
];
const FAMILY: [&str; 16] = [
    "Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Thompson", "Hamilton",
    "Wirth", "Perlman", "Hoare", "Lamarr", "Lamport", "Wilson", "Backus",
];
const DEPARTMENTS: [&str; 8] = [
    "Engineering",
    "Sales",
    "Finance",
    "Support",
    "Research",
    "Operations",
    "Legal",
    "People",
];

/// Who is where.
#[derive(Clone, Debug)]
pub struct Company {
    /// The OU everything is in.
    pub ou: String,
    /// The group that everybody is in, by way of the others.
    pub everybody: String,
    /// The groups of `team` people each.
    pub teams: Vec<String>,
    pub people: Vec<String>,
}

/// Adds `people` people in an OU of their own, in groups of `team`, all of which are in the group `everybody`.
pub fn populate(
    directory: &mut Directory<'_>,
    ou: &str,
    everybody: &str,
    people: usize,
    team: usize,
) -> Result<Company, Refused> {
    let base = directory.base();
    let ou = directory.add_ou(&base, ou)?;
    let everybody = directory.add_group(&ou, everybody)?;
    let mut company = Company {
        ou: ou.clone(),
        everybody: everybody.clone(),
        teams: Vec::new(),
        people: Vec::with_capacity(people),
    };
    for number in 0..people {
        let (given, family) = (pick(&GIVEN, number), pick(&FAMILY, number / GIVEN.len()));
        // Names are shared by many; what tells people apart is the number.
        let name = format!("{given} {family} {number:06}");
        let logon = format!("u{number:06}");
        let mail = format!("{logon}@corp.example");
        let dn = directory.add_user(
            &ou,
            &NewUser {
                name: &name,
                logon: &logon,
                given_name: given,
                surname: family,
                mail: &mail,
                department: pick(&DEPARTMENTS, number),
                title: "Engineer",
                ..NewUser::default()
            },
        )?;
        company.people.push(dn);
    }
    let members: Vec<&str> = company.people.iter().map(String::as_str).collect();
    for (number, part) in members.chunks(team.max(1)).enumerate() {
        let group = directory.add_group(&ou, &format!("Team {number:04}"))?;
        directory.set_members(&group, part)?;
        directory.join(&everybody, &group)?;
        company.teams.push(group);
    }
    Ok(company)
}

fn pick<'a>(of: &[&'a str], number: usize) -> &'a str {
    of.get(number % of.len().max(1))
        .copied()
        .unwrap_or_default()
}
