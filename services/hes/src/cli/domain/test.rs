//! `hes domain test`: checks as they finish, each with its grade.

use api::{
    config::v1::{TestDomainRequest, test_domain_request::Subject},
    directory::v1::{Check, Grade},
};
use clap::Args;

use super::logon::Account;
use crate::{
    cli::Context,
    failure::Failure,
    input::Inputs,
    output::{Screen, Tone, note, print, printable, word},
    progress::Progress,
    remote,
};

pub(super) const HELP: &str = "\
Each check is OK, WARNING, FAILED, UNKNOWN (could not be determined; never read as OK), or SKIPPED (it needs one that \
failed). Nothing is saved or changed. Exit code 1 when a check FAILED. `-o json` is the array of checks; their `id`s are \
stable.

Examples:
  hes domain test corp
  hes domain test corp --logon-name svc-new@corp.example.com --password-file -   # before saving
  hes domain test corp -o json | jq -r '.[] | select(.grade == \"GRADE_FAILED\") | .id'";

/// Where the words of a check begin.
const WORDS: usize = 20;

#[derive(Args, Debug)]
pub(crate) struct Test {
    /// The domain's id
    id: String,
    #[command(flatten)]
    account: Account,
}

impl Test {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let request = TestDomainRequest {
            subject: Some(Subject::Name(remote::domain(&self.id))),
            credentials: self.account.read(&mut Inputs::default())?,
        };
        let tried = format!("could not test domain `{}`", self.id);
        let failed = |status| Failure::call(&tried, &status);
        let mut progress = Progress::start();
        progress.say(&format!("testing {}", self.id), "");
        let mut answers = context
            .remote
            .domains()
            .test_domain(request)
            .await
            .map_err(failed)?
            .into_inner();
        let mut checks = Vec::new();
        while let Some(answer) = answers.message().await.map_err(failed)? {
            let Some(check) = answer.check else { continue };
            if context.output.is_for_people() {
                progress.suspend(|| print(&line(&check, context.output.screen())))?;
            }
            progress.say(&format!("testing {}", self.id), &check.id);
            checks.push(check);
        }
        drop(progress);
        if !context.output.is_for_people() {
            context.output.list(&checks, |_| String::new())?;
        }
        verdict(&self.id, &checks)
    }
}

fn verdict(id: &str, checks: &[Check]) -> Result<(), Failure> {
    let of = |grade: Grade| checks.iter().filter(|check| check.grade() == grade).count();
    let words: Vec<String> = [
        Grade::Ok,
        Grade::Warning,
        Grade::Failed,
        Grade::Unknown,
        Grade::Skipped,
    ]
    .into_iter()
    .map(|grade| (of(grade), grade))
    .filter(|(n, _)| *n > 0)
    .map(|(n, grade)| format!("{n} {}", word(grade.as_str_name(), "GRADE_")))
    .collect();
    if checks.is_empty() {
        return Err(Failure::new(format!(
            "domain `{id}` was not tested: no check was made"
        )));
    }
    if of(Grade::Failed) > 0 {
        return Err(Failure::new(format!(
            "not everything of domain `{id}` works: {}",
            words.join(", ")
        ))
        .next("do what the failed checks say, then test again"));
    }
    note(&words.join(", "));
    Ok(())
}

/// One check: its mark, id, what was found, and what to do.
pub(super) fn line(check: &Check, screen: &Screen) -> String {
    let (mark, ascii, tone) = match check.grade() {
        Grade::Ok => ("✓", "ok  ", Tone::Good),
        Grade::Warning => ("!", "WARN", Tone::Warning),
        Grade::Failed => ("✗", "FAIL", Tone::Bad),
        Grade::Unknown | Grade::Unspecified => ("?", "?   ", Tone::Warning),
        Grade::Skipped => ("-", "-   ", Tone::Faint),
    };
    let mark = if screen.unicode { mark } else { ascii };
    let arrow = if screen.unicode { "→" } else { "->" };
    let margin = mark.chars().count() + 1 + WORDS;
    let server = match check.server.as_str() {
        server if server.is_empty() || check.message.contains(server) => String::new(),
        server => format!(" ({server})"),
    };
    let mut text = format!(
        "{} {:WORDS$}{}",
        screen.paint(tone, mark),
        printable(&check.id),
        wrapped(&format!("{}{server}", check.message), margin, screen),
    );
    // What to do about a skipped check is to mend the one before it, which says how.
    if !check.remedy.is_empty() && check.grade() != Grade::Skipped {
        let remedy = wrapped(&check.remedy, margin + arrow.chars().count() + 1, screen);
        text.push_str(&format!("\n{:margin$}{arrow} {remedy}", ""));
    }
    text
}

/// `text` broken between words so that it stays right of `margin`.
fn wrapped(text: &str, margin: usize, screen: &Screen) -> String {
    let text = printable(text);
    let Some(width) = screen
        .width
        .map(usize::from)
        .filter(|width| *width > margin + 20)
    else {
        return text;
    };
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        let length = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() {
            line.push_str(word);
        } else if margin + length <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join(&format!("\n{:margin$}", ""))
}
