//! Rotations, for people.

use api::rotation::v1::{
    DomainRotation, Forecast, RotateNowResponse, Rotation, RotationFilter, RotationState,
};

use crate::output::{
    Cell, Record, Screen, Table, Tone, ago, count, date_time, from_now, last_part, word,
};

pub(super) fn rotations(rotations: &[Rotation], filter: RotationFilter, screen: &Screen) -> String {
    if rotations.is_empty() {
        return match filter {
            RotationFilter::Held => "nothing waits for a person",
            RotationFilter::All => "no password was changed yet",
            RotationFilter::Open | RotationFilter::Unspecified => {
                "no password change is under way; hes rotation forecast DOMAIN tells when the next is due"
            }
        }
        .to_owned();
    }
    let mut table = Table::new([
        "ID",
        "ACCOUNT",
        "DOMAIN",
        "STATE",
        "SINCE",
        "WHAT IT WAITS FOR",
    ]);
    for rotation in rotations {
        table.row([
            last_part(&rotation.name).into(),
            rotation.logon_name.as_str().into(),
            domain_of(&rotation.account).into(),
            state(rotation),
            ago(screen.now, rotation.state_time.as_ref()).into(),
            rotation.message.as_str().into(),
        ]);
    }
    table.render(screen)
}

fn domain_of(account: &str) -> &str {
    account.split('/').nth(1).unwrap_or(account)
}

fn state(rotation: &Rotation) -> Cell {
    let text = word(rotation.state().as_str_name(), "ROTATION_STATE_");
    let tone = match rotation.state() {
        RotationState::Closed => Tone::Good,
        RotationState::Held => Tone::Bad,
        RotationState::Unknown | RotationState::Aborted => Tone::Warning,
        RotationState::Unspecified
        | RotationState::Planned
        | RotationState::Prepared
        | RotationState::Sent
        | RotationState::Acked
        | RotationState::Committed
        | RotationState::Confirmed => Tone::Plain,
    };
    Cell::toned(text, tone)
}

pub(super) fn rotation(rotation: &Rotation, screen: &Screen) -> String {
    let mut record = Record::default();
    record
        .line("id", last_part(&rotation.name))
        .line("account", Cell::toned(&rotation.logon_name, Tone::Strong))
        .line("name", rotation.account.as_str())
        .line("employee", last_part(&rotation.employee))
        .line("generation", rotation.generation.to_string())
        .line("state", state(rotation))
        .line("that is", rotation.message.as_str())
        .line("since", ago(screen.now, rotation.state_time.as_ref()))
        .line_if(
            "looked at again",
            &from_now(screen.now, rotation.next_time.as_ref()),
        )
        .line("due", date_time(rotation.create_time.as_ref()))
        .line_if("asked for by", &rotation.requested_by);
    if rotation.candidate > 0 {
        let stored = match rotation.accepted {
            true => "stored by a key",
            false => "stored by no key",
        };
        record.line(
            "candidate",
            format!(
                "number {}, {stored}, sent {}",
                rotation.candidate,
                count(rotation.sends.into(), "time", "times")
            ),
        );
    }
    record.line_if(
        "last sent",
        &ago(screen.now, rotation.last_send_time.as_ref()),
    );
    if rotation.released {
        record.line("released", "handed out by hand");
    }
    record.render(screen)
}

pub(super) fn now(answer: &RotateNowResponse, screen: &Screen) -> String {
    if answer.outcomes.is_empty() {
        return "there is no account that rotates".to_owned();
    }
    let mut table = Table::new(["ACCOUNT", "WHAT HAPPENS"]);
    for outcome in &answer.outcomes {
        let what = match outcome.problem.as_str() {
            "" => Cell::toned("due now; changes while a key is there", Tone::Good),
            problem => Cell::toned(problem, Tone::Warning),
        };
        table.row([outcome.account.as_str().into(), what]);
    }
    table.render(screen)
}

pub(super) fn forecasts(forecasts: &[Forecast], screen: &Screen) -> String {
    if forecasts.is_empty() {
        return "no account rotates; members of the domain's rotation group do, from the next sync on"
            .to_owned();
    }
    let mut table = Table::new(["ACCOUNT", "DUE", "EXPIRES", "KEYS", "REMARK"]);
    for forecast in forecasts {
        let due = match &forecast.due_time {
            Some(_) => Cell::from(from_now(screen.now, forecast.due_time.as_ref())),
            None => Cell::toned("not rotated", Tone::Warning),
        };
        let keys = match forecast.targets {
            0 if forecast.due_time.is_some() => Cell::toned("none", Tone::Warning),
            keys => keys.to_string().into(),
        };
        table.row([
            forecast.logon_name.as_str().into(),
            due,
            from_now(screen.now, forecast.expire_time.as_ref()).into(),
            keys,
            forecast.reason.as_str().into(),
        ]);
    }
    table.render(screen)
}

pub(super) fn domains(domains: &[DomainRotation], screen: &Screen) -> String {
    if domains.is_empty() {
        return "done; there is no domain yet".to_owned();
    }
    domains
        .iter()
        .map(|domain| {
            let mut record = Record::default();
            record.line("domain", last_part(&domain.domain));
            self::domain(&mut record, domain, screen);
            record.render(screen)
        })
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// How rotation stands in a domain.
pub(crate) fn domain(record: &mut Record, domain: &DomainRotation, screen: &Screen) {
    record.line("rotation", standing(domain, screen));
    let mut accounts = vec![count(domain.accounts.into(), "account", "accounts")];
    for (number, what) in [
        (domain.waiting, "due and waiting for a key"),
        (domain.under_way, "under way"),
        (domain.held, "held"),
        (domain.overdue, "overdue for more than a day"),
    ] {
        if number > 0 {
            accounts.push(format!("{number} {what}"));
        }
    }
    record.line("rotating", accounts.join(", "));
    record.line_if(
        "next due",
        &from_now(screen.now, domain.next_due_time.as_ref()),
    );
    let left_out: Vec<String> = domain
        .not_rotated
        .iter()
        .map(|left_out| format!("{}: {}", left_out.accounts, left_out.reason))
        .collect();
    record.line_if("not rotated", &left_out.join("\n"));
}

/// In a few words: whether passwords change there.
pub(crate) fn standing(domain: &DomainRotation, screen: &Screen) -> Cell {
    if !domain.breaker.is_empty() {
        let when = ago(screen.now, domain.breaker_time.as_ref());
        return Cell::toned(
            format!(
                "stopped {when}: {}; see to it, then: hes rotation resume {}",
                domain.breaker_message,
                last_part(&domain.domain)
            ),
            Tone::Bad,
        );
    }
    if domain.paused {
        return Cell::toned(format!("paused by {}", domain.paused_by), Tone::Warning);
    }
    if domain.clock_skewed {
        let seconds = domain.clock_skew.map_or(0, |skew| skew.seconds);
        return Cell::toned(
            format!("held: the directory's clock is {seconds} s from this installation's"),
            Tone::Bad,
        );
    }
    if domain.days == 0 {
        return Cell::toned("off", Tone::Faint);
    }
    let every = format!("every {}", count(domain.days.into(), "day", "days"));
    if domain.open {
        return Cell::toned(every, Tone::Good);
    }
    let opens = from_now(screen.now, domain.open_change_time.as_ref());
    match opens.as_str() {
        "" => Cell::toned(format!("{every}; no window ever opens"), Tone::Warning),
        opens => Cell::from(format!("{every}; the next window opens {opens}")),
    }
}
