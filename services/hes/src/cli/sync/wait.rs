//! Waits for a run to end or to be held, and says which by the exit code.

use std::time::Duration;

use api::connector::v1::{SyncRun, SyncRunState, WatchSyncRunRequest};
use tonic::{Code, Status};

use super::view;
use crate::{cli::Context, failure::Failure, progress::Progress};

/// A server that restarts is back by then; the run goes on meanwhile.
const TRIES: u32 = 30;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Watches until the run ends or is held. A watch that breaks is begun again: the run doesn't depend on it.
pub(super) async fn until_settled(context: &Context, mut run: SyncRun) -> Result<SyncRun, Failure> {
    let mut progress = Progress::start();
    let mut failures = 0;
    tell(&mut progress, &run);
    while !is_settled(&run) {
        match watch(context, &mut run, &mut progress).await {
            Ok(()) => failures = 0,
            Err(status) if is_passing(&status) && failures < TRIES => {
                failures += 1;
                progress.say("the API does not answer; trying again", "");
            }
            Err(status) => {
                let id = view::id(&run);
                return Err(Failure::call(
                    format!("could not watch run {id}, which may go on"),
                    &status,
                )
                .next(format!("see how it went: hes sync show {id}")));
            }
        }
        if !is_settled(&run) {
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }
    Ok(run)
}

async fn watch(
    context: &Context,
    run: &mut SyncRun,
    progress: &mut Progress,
) -> Result<(), Status> {
    let request = WatchSyncRunRequest {
        name: run.name.clone(),
    };
    let mut states = context
        .remote
        .syncs()
        .watch_sync_run(request)
        .await?
        .into_inner();
    while let Some(answer) = states.message().await? {
        if let Some(state) = answer.sync_run {
            *run = state;
            tell(progress, run);
        }
        if is_settled(run) {
            break;
        }
    }
    Ok(())
}

fn tell(progress: &mut Progress, run: &SyncRun) {
    let step = format!("sync of {}: {}", view::domain(run), view::state(run));
    let detail = match run.state() {
        SyncRunState::Reading => view::read(run),
        SyncRunState::Planning => view::plan(run),
        SyncRunState::Applying => {
            let of = run.plan.as_ref().map_or(0, |plan| plan.items);
            let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
            progress.position(unsigned(run.applied_items), unsigned(of));
            String::new()
        }
        SyncRunState::Unspecified
        | SyncRunState::Queued
        | SyncRunState::Held
        | SyncRunState::Approved
        | SyncRunState::Applied
        | SyncRunState::Unchanged
        | SyncRunState::Planned
        | SyncRunState::Failed
        | SyncRunState::Rejected
        | SyncRunState::Expired
        | SyncRunState::Superseded => String::new(),
    };
    progress.say(&step, &detail);
}

fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::OutOfRange
    )
}

fn is_settled(run: &SyncRun) -> bool {
    match run.state() {
        SyncRunState::Unspecified
        | SyncRunState::Queued
        | SyncRunState::Reading
        | SyncRunState::Planning
        | SyncRunState::Approved
        | SyncRunState::Applying => false,
        SyncRunState::Held
        | SyncRunState::Applied
        | SyncRunState::Unchanged
        | SyncRunState::Planned
        | SyncRunState::Failed
        | SyncRunState::Rejected
        | SyncRunState::Expired
        | SyncRunState::Superseded => true,
    }
}

/// How a settled run ends the command.
pub(super) fn verdict(run: &SyncRun) -> Result<(), Failure> {
    let (id, domain) = (view::id(run), view::domain(run));
    match run.state() {
        SyncRunState::Applied | SyncRunState::Unchanged => Ok(()),
        SyncRunState::Planned if run.hold_reasons.is_empty() => Ok(()),
        SyncRunState::Planned => Err(reasons(
            run,
            Failure::held(format!("a sync of `{domain}` with this plan would be held")),
        )
        .next("if the plan is right, run the sync and approve it; if not, mend the directory or the settings")),
        SyncRunState::Held => Err(reasons(
            run,
            Failure::held(format!("the plan of `{domain}` is held; nothing of it was applied")),
        )
        .next(format!("see it: hes sync show {id}"))
        .next(format!("then: hes sync approve {id}, or: hes sync reject {id}"))),
        SyncRunState::Failed => Err(failed(run)),
        SyncRunState::Rejected | SyncRunState::Expired | SyncRunState::Superseded => {
            Err(Failure::new(format!("the plan of `{domain}` was not applied"))
                .because(format!("the run is {}", view::state(run)))
                .next(format!("sync again: hes sync run {domain} --wait")))
        }
        SyncRunState::Unspecified
        | SyncRunState::Queued
        | SyncRunState::Reading
        | SyncRunState::Planning
        | SyncRunState::Approved
        | SyncRunState::Applying => Err(Failure::new(format!("run {id} has not ended yet"))
            .next(format!("see how it goes: hes sync show {id}"))),
    }
}

fn reasons(run: &SyncRun, failure: Failure) -> Failure {
    run.hold_reasons.iter().fold(failure, |failure, reason| {
        failure.because(format!("- {reason}"))
    })
}

fn failed(run: &SyncRun) -> Failure {
    let domain = view::domain(run);
    let failure = Failure::new(format!(
        "the sync of `{domain}` failed; nothing was changed"
    ));
    let Some(why) = &run.failure else {
        return failure.next("the server's log says more");
    };
    let failure = failure.because(&why.message);
    let failure = match why.reason.as_str() {
        "" => failure,
        reason => failure.because(format!("({reason})")),
    };
    match why.remedy.as_str() {
        "" => failure.next(format!("see where it fails: hes domain test {domain}")),
        remedy => failure.next(remedy),
    }
}

#[cfg(test)]
mod tests {
    use api::connector::v1::RunFailure;

    use super::*;
    use crate::failure::Exit;

    fn run(state: SyncRunState) -> SyncRun {
        SyncRun {
            name: "domains/corp/syncRuns/0f".into(),
            state: state.into(),
            ..SyncRun::default()
        }
    }

    #[test]
    fn the_exit_code_tells_how_a_run_ended() {
        for (state, expected) in [
            (SyncRunState::Applied, None),
            (SyncRunState::Unchanged, None),
            (SyncRunState::Planned, None),
            (SyncRunState::Failed, Some(Exit::Failed)),
            (SyncRunState::Rejected, Some(Exit::Failed)),
            (SyncRunState::Expired, Some(Exit::Failed)),
            (SyncRunState::Superseded, Some(Exit::Failed)),
            (SyncRunState::Held, Some(Exit::Held)),
        ] {
            assert!(is_settled(&run(state)), "{state:?}");
            assert_eq!(
                verdict(&run(state)).err().map(|failure| failure.exit),
                expected,
                "{state:?}"
            );
        }
    }

    #[test]
    fn a_dry_run_that_would_be_held_says_so_by_its_exit_code() {
        let mut planned = run(SyncRunState::Planned);
        planned.hold_reasons = vec!["12 people would leave; the limit is 3".into()];

        let failure = verdict(&planned).unwrap_err();

        assert_eq!(failure.exit, Exit::Held);
        assert!(format!("{failure:?}").contains("12 people would leave"));
    }

    #[test]
    fn a_failed_run_tells_its_reason_and_remedy() {
        let mut failed = run(SyncRunState::Failed);
        failed.failure = Some(RunFailure {
            reason: "GROUP_MISSING".into(),
            message: "no group is called `Owners`".into(),
            remedy: "correct --sync-group".into(),
        });

        let text = format!("{:?}", verdict(&failed).unwrap_err());

        for part in [
            "GROUP_MISSING",
            "no group is called",
            "correct --sync-group",
            "nothing was changed",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
