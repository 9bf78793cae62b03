//! What the directory's own record of a password says of our sends.

use ad_client::password::Version;
use api::connector::v1 as proto;
use jiff::Timestamp;

use super::shown;

/// What may have been written since the anchor was made.
pub(super) struct Evidence<'a> {
    anchor: &'a proto::PasswordAnchor,
    applied: u32,
    unknown: u32,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(anchor: &'a proto::PasswordAnchor, applied: u32, unknown: u32) -> Self {
        Self {
            anchor,
            applied,
            unknown,
        }
    }

    /// How a server's record fits. Each write adds one to the version, wherever it happens; the last one's server is known
    /// with it. So a version that is not beyond our sends, from a server they went to, is ours: unless somebody else wrote
    /// there at the same time and one of ours was not carried out, which only trying the value can tell.
    pub(super) fn of(
        &self,
        version: Option<&Version>,
        set: Option<Timestamp>,
    ) -> proto::ChangeEvidence {
        let (Some(version), base @ 1..) = (version, self.anchor.password_version) else {
            // Without metadata, the time tells whether it changed, and not by whom.
            return match set.map(shown::time) == self.anchor.password_set_time {
                true if set.is_some() => proto::ChangeEvidence::Unchanged,
                true | false => proto::ChangeEvidence::Unknown,
            };
        };
        let moved = i64::from(version.number) - base;
        let least = i64::from(self.applied.max(1));
        let most = i64::from(self.applied) + i64::from(self.unknown);
        let is_ours = self
            .anchor
            .servers
            .iter()
            .any(|server| server.instance == version.origin.as_bytes());
        match moved {
            0 => proto::ChangeEvidence::Unchanged,
            moved if is_ours && (least..=most).contains(&moved) => proto::ChangeEvidence::AsSent,
            _ => proto::ChangeEvidence::Otherwise,
        }
    }
}

/// Whether a server certainly does not have the value.
pub(super) fn is_not_live(matched: proto::Match, change: proto::ChangeEvidence) -> bool {
    match matched {
        proto::Match::Wrong => true,
        proto::Match::Right => false,
        proto::Match::Unverifiable | proto::Match::Unspecified => {
            change == proto::ChangeEvidence::Unchanged
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::ChangeEvidence::{AsSent, Otherwise, Unchanged, Unknown};
    use uuid::Uuid;

    const HERE: Uuid = Uuid::from_u128(1);
    const THERE: Uuid = Uuid::from_u128(2);
    const STRANGE: Uuid = Uuid::from_u128(3);

    fn anchor(base: i64) -> proto::PasswordAnchor {
        let server = |instance: Uuid| proto::AnchoredServer {
            address: instance.to_string(),
            instance: instance.as_bytes().to_vec(),
        };
        proto::PasswordAnchor {
            servers: vec![server(HERE), server(THERE)],
            password_version: base,
            password_set_time: Some(shown::time(Timestamp::UNIX_EPOCH)),
            ..proto::PasswordAnchor::default()
        }
    }

    fn version(number: u32, origin: Uuid) -> Version {
        Version {
            number,
            origin,
            time: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_version_is_ours_within_our_sends_and_from_where_they_went() {
        let anchor = anchor(5);
        let cases = [
            // Applied, unknown, the version now, where it was written.
            (0, 0, 5, STRANGE, Unchanged),
            (1, 0, 6, HERE, AsSent),
            (1, 0, 6, THERE, AsSent),
            (1, 0, 6, STRANGE, Otherwise),
            (1, 0, 5, HERE, Unchanged),
            (1, 0, 7, HERE, Otherwise),
            (0, 1, 6, HERE, AsSent),
            (0, 1, 7, HERE, Otherwise),
            (1, 2, 8, HERE, AsSent),
            (1, 2, 9, HERE, Otherwise),
            // Two were answered with success: one write fewer is somebody else's doing.
            (2, 1, 6, HERE, Otherwise),
            // Nothing was sent, or an older database answers.
            (0, 0, 6, HERE, Otherwise),
            (1, 0, 4, HERE, Otherwise),
        ];
        for (applied, unknown, number, origin, expected) in cases {
            let evidence = Evidence::new(&anchor, applied, unknown);
            let found = evidence.of(Some(&version(number, origin)), None);
            assert_eq!(found, expected, "{applied} {unknown} {number} {origin}");
        }
    }

    #[test]
    fn without_metadata_only_an_unmoved_time_says_something() {
        for anchor in [anchor(0), anchor(5)] {
            let evidence = Evidence::new(&anchor, 1, 0);
            let later = Timestamp::UNIX_EPOCH + std::time::Duration::from_secs(1);
            assert_eq!(evidence.of(None, Some(Timestamp::UNIX_EPOCH)), Unchanged);
            assert_eq!(evidence.of(None, Some(later)), Unknown);
            assert_eq!(evidence.of(None, None), Unknown);
        }
    }

    #[test]
    fn a_value_is_not_live_where_it_is_wrong_or_nothing_changed() {
        use proto::Match::{Right, Unverifiable, Wrong};
        assert!(is_not_live(Wrong, AsSent));
        assert!(is_not_live(Unverifiable, Unchanged));
        assert!(!is_not_live(Right, Unchanged));
        assert!(!is_not_live(Unverifiable, AsSent));
        assert!(!is_not_live(Unverifiable, Otherwise));
        assert!(!is_not_live(Unverifiable, Unknown));
    }
}
