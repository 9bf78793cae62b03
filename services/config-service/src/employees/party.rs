//! An account as the link rules see it.

use sync::Mail;
use sync::links::Party;

use super::facts::Facts;
use crate::store::AccountRow;

pub(crate) fn party(row: &AccountRow, facts: &Facts) -> Party {
    let domain = facts.domain(&row.key.domain);
    let account = &row.known.account;
    let mail = mail(account.mail.as_deref());
    let authoritative = mail
        .as_ref()
        .is_some_and(|mail| domain.suffixes.contains(mail.suffix()));
    Party {
        key: row.key.clone(),
        employee: row.employee,
        directory: domain.kind,
        domain_sid: domain.sid,
        sid: account.sid.clone(),
        kind: account.kind,
        presence: row.known.presence,
        privileged: account.state.privileged,
        mail,
        authoritative,
    }
}

pub(crate) fn mail(text: Option<&str>) -> Option<Mail> {
    text?.parse().ok()
}
