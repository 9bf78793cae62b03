//! Who tells the story: headings, explanations, and commands that are run as they are shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::config::v1::{Employee, ListEmployeesRequest};
use api::rotation::v1::{ListRotationsRequest, RotationFilter, RotationState};
use clap::Parser as _;
use runtime::{Clock as _, Shutdown, SystemClock};
use secrecy::SecretString;
use tonic::Status;

use super::company::Company;
use crate::{
    agent::{self, Store},
    cli::{self, Cli},
    failure::{Exit, Failure},
    output::{Screen, Tone, print},
    remote::{self, Remote},
    up::Served,
};

/// Of what is said to a reader whose width isn't known.
const USUAL_WIDTH: usize = 80;
/// How long people may take to arrive: they come as events.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A key, and the program beside it.
pub(super) struct Key {
    store: Store,
    remote: Remote,
    shutdown: Shutdown,
}

impl Key {
    /// Until the demo ends, or it can't go on.
    pub(super) async fn serve(&self) -> Result<(), Failure> {
        agent::run(&self.remote.deliveries(), &self.store, &self.shutdown).await
    }

    /// The current password of the only account it keeps.
    pub(super) fn current(&self) -> Result<SecretString, Failure> {
        let slots = self.store.all()?;
        slots
            .into_iter()
            .find_map(|slots| slots.current)
            .map(|kept| kept.value)
            .ok_or_else(|| Failure::new("the key has no password"))
    }
}

pub(super) struct Narrator<'a> {
    screen: &'a Screen,
    served: &'a Served,
    folder: PathBuf,
}

impl<'a> Narrator<'a> {
    pub(super) fn new(screen: &'a Screen, served: &'a Served, folder: &Path) -> Self {
        Self {
            screen,
            served,
            folder: folder.to_owned(),
        }
    }

    /// Where the demo's files are.
    pub(super) fn folder(&self) -> String {
        self.folder.display().to_string()
    }

    /// Begins a part of the story.
    pub(super) fn chapter(&self, title: &str, text: &str) -> Result<(), Failure> {
        let title = self.screen.paint(Tone::Strong, title);
        print(&format!("\n{title}\n{}", self.wrapped(text)))
    }

    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        print(&self.wrapped(text))
    }

    fn wrapped(&self, text: &str) -> String {
        wrap(text, self.width())
    }

    fn width(&self) -> usize {
        let width = self.screen.width.map_or(USUAL_WIDTH, usize::from);
        width.clamp(30, 100)
    }

    /// Runs a command as it is shown, and makes sure that it ends as it must.
    pub(super) async fn hes(&self, command: &str, expected: Option<Exit>) -> Result<(), Failure> {
        let shown = continued(&format!("$ hes {command}"), self.width());
        print(&format!("\n{}", self.screen.paint(Tone::Good, &shown)))?;
        let words = split(&command.replace("$DEMO", &self.folder()));
        let [url, token, ca] = [
            self.served.url.clone(),
            self.served.token_file.display().to_string(),
            self.served.ca_file.display().to_string(),
        ];
        let reach = [
            "hes",
            "--api",
            &url,
            "--api-token-file",
            &token,
            "--api-ca-file",
            &ca,
        ];
        let words = reach.into_iter().map(str::to_owned).chain(words);
        let cli = Cli::try_parse_from(words)
            .map_err(|error| Failure::new("the demo is wrong").caused_by(&error))?;
        // Times are told from now, and not from when the story began.
        let screen = Screen {
            now: SystemClock.now(),
            ..self.screen.clone()
        };
        let ended = cli::run_within(cli, &screen).await;
        match (ended, expected) {
            (Ok(()), None) => Ok(()),
            (Err(failure), Some(exit)) if failure.exit == exit => {
                print(&failure.render(self.screen))
            }
            (Ok(()), Some(exit)) => Err(Failure::new(format!(
                "`hes {command}` went through, where it should have ended with exit code {}",
                exit as u8
            ))),
            (Err(failure), _) => Err(failure),
        }
    }

    /// Who is known, once there are as many as there should be.
    pub(super) async fn employees(
        &self,
        what: &str,
        is_right: impl Fn(&[Employee]) -> bool,
    ) -> Result<Vec<Employee>, Failure> {
        let remote = self.remote()?;
        let looking = async {
            loop {
                let employees = everybody(&remote)
                    .await
                    .map_err(|status| Failure::call("could not list employees", &status))?;
                if is_right(&employees) {
                    return Ok(employees);
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking)
            .await
            .unwrap_or_else(|_elapsed| {
                Err(Failure::new(format!(
                    "{what}: not seen after {} seconds",
                    PATIENCE.as_secs()
                )))
            })
    }

    /// A key that is a folder, and the program beside it with its own token; both are named as they are in the folder.
    pub(super) fn key(&self, folder: &str, token: &str) -> Result<Key, Failure> {
        Ok(Key {
            store: Store::open(&self.folder.join(folder))?,
            remote: Remote::reach(
                &self.served.url,
                Some(&self.folder.join(token)),
                Some(&self.served.ca_file),
            )?,
            shutdown: self.served.shutdown.clone(),
        })
    }

    /// Returns once an employee's password has been changed and delivered.
    pub(super) async fn rotated(&self, employee: &str) -> Result<(), Failure> {
        let remote = self.remote()?;
        let request = ListRotationsRequest {
            employee: remote::employee(employee),
            filter: RotationFilter::All.into(),
            ..ListRotationsRequest::default()
        };
        let looking = async {
            loop {
                let listed = remote.rotations().list_rotations(request.clone()).await;
                let rotations = listed
                    .map_err(|status| Failure::call("could not list rotations", &status))?
                    .into_inner()
                    .rotations;
                match rotations.first() {
                    Some(rotation) if rotation.state() == RotationState::Closed => return Ok(()),
                    Some(rotation)
                        if matches!(
                            rotation.state(),
                            RotationState::Held | RotationState::Aborted
                        ) =>
                    {
                        return Err(Failure::new("the password was not changed")
                            .because(rotation.message.clone()));
                    }
                    Some(_) | None => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, looking)
            .await
            .unwrap_or_else(|_elapsed| Err(Failure::new("the password was not changed in time")))
    }

    fn remote(&self) -> Result<Remote, Failure> {
        Remote::reach(
            &self.served.url,
            Some(&self.served.token_file),
            Some(&self.served.ca_file),
        )
    }

    /// For whoever wants to go on by themselves.
    pub(super) fn what_next(&self, company: &Company) -> String {
        let heading = self.screen.paint(
            Tone::Strong,
            "It stays up until you press Ctrl-C. In another shell:",
        );
        format!(
            "\n{heading}
  {}
  hes status
  hes employee list --query john
  hes sync list corp
  hes rotation forecast corp
  hes audit list
  hes audit verify

The directory is at {}; look at it with any LDAP client, as {}.
  its certificate authority: {}
  the password: {}

Your own Active Directory is the next step: stop this, then
  hes up --data-dir ./data
  hes domain add ad --help",
            self.served.exports(),
            company.server(),
            company.logon_name(),
            company.ca_file.display(),
            company.password_file.display(),
        )
    }
}

async fn everybody(remote: &Remote) -> Result<Vec<Employee>, Status> {
    let client = remote.employees();
    let all = remote::list(0, async |page_size, page_token| {
        let request = ListEmployeesRequest {
            page_size,
            page_token,
            ..ListEmployeesRequest::default()
        };
        let page = client.clone().list_employees(request).await?.into_inner();
        let next = page.next_page_token.clone();
        let employees = page
            .into_employees()
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok((employees, next))
    });
    Ok(all.await?.items)
}

/// A line at a time, at the spaces.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// A command on as many lines as it needs, each to be continued as a shell has it.
fn continued(command: &str, width: usize) -> String {
    wrap(command, width - 6).replace('\n', " \\\n    ")
}

/// Words as a shell would take them; only double quotes are known.
fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in command.split('"').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_paragraphs_stay() {
        assert_eq!(wrap("one two three\n\nfour", 8), "one two\nthree\n\nfour");
        assert_eq!(wrap("unbreakable x", 4), "unbreakable\nx");
    }

    #[test]
    fn a_long_command_is_continued() {
        assert_eq!(continued("$ hes a --b c", 15), "$ hes a \\\n    --b c");
    }

    #[test]
    fn what_is_quoted_is_one_word() {
        assert_eq!(split("a \"b c\" d"), ["a", "b c", "d"]);
    }
}
