//! How many rotations a domain may start now: rate, share, and the canary that goes first (R8).

/// What a domain allows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rotations that are under way at once.
    pub at_once: u32,
    /// Rotations started within an hour.
    pub per_hour: u32,
    /// Of the accounts that rotate, the share started within an hour, in percent. One account is always allowed.
    pub percent_per_hour: u32,
    /// Rotations that must end well before more are started at once: after a change of policy too.
    pub canaries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 8,
            per_hour: 200,
            percent_per_hour: 25,
            canaries: 3,
        }
    }
}

/// How a domain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Accounts that rotate.
    pub accounts: u32,
    /// Rotations between prepared and confirmed.
    pub under_way: u32,
    /// Rotations that were prepared within the last hour.
    pub started: u32,
    /// Rotations that ended well under the policy as it is now.
    pub proven: u32,
    /// A breaker or a pause stops the domain.
    pub stopped: bool,
}

impl Admission {
    /// How many may start now.
    pub fn room(&self, limits: &Limits) -> u32 {
        if self.stopped {
            return 0;
        }
        let share = u64::from(self.accounts) * u64::from(limits.percent_per_hour) / 100;
        let per_hour = u32::try_from(share)
            .unwrap_or(u32::MAX)
            .max(1)
            .min(limits.per_hour);
        let canary = match self.proven < limits.canaries {
            true => limits.canaries.saturating_sub(self.proven),
            false => u32::MAX,
        };
        let at_once = limits.at_once.min(canary).saturating_sub(self.under_way);
        at_once.min(per_hour.saturating_sub(self.started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        at_once: 8,
        per_hour: 200,
        percent_per_hour: 25,
        canaries: 3,
    };

    #[test]
    fn the_canary_goes_first_and_alone() {
        let many = Admission {
            accounts: 10_000,
            ..Admission::default()
        };
        let cases = [
            (many, 3),
            (
                Admission {
                    under_way: 3,
                    started: 3,
                    ..many
                },
                0,
            ),
            (
                Admission {
                    under_way: 1,
                    started: 3,
                    proven: 2,
                    ..many
                },
                0,
            ),
            (
                Admission {
                    under_way: 0,
                    started: 3,
                    proven: 2,
                    ..many
                },
                1,
            ),
            (
                Admission {
                    started: 3,
                    proven: 3,
                    ..many
                },
                8,
            ),
            (
                Admission {
                    started: 3,
                    proven: 3,
                    under_way: 5,
                    ..many
                },
                3,
            ),
        ];
        for (admission, room) in cases {
            assert_eq!(admission.room(&LIMITS), room, "{admission:?}");
        }
    }

    #[test]
    fn an_hour_has_no_more_than_its_number_and_its_share() {
        let calm = Admission {
            proven: 3,
            ..Admission::default()
        };
        let cases = [
            (
                Admission {
                    accounts: 10_000,
                    started: 199,
                    ..calm
                },
                1,
            ),
            (
                Admission {
                    accounts: 10_000,
                    started: 200,
                    ..calm
                },
                0,
            ),
            (
                Admission {
                    accounts: 40,
                    started: 9,
                    ..calm
                },
                1,
            ),
            (
                Admission {
                    accounts: 40,
                    started: 10,
                    ..calm
                },
                0,
            ),
            // A quarter of two is none: one, or they would never rotate.
            (
                Admission {
                    accounts: 2,
                    ..calm
                },
                1,
            ),
            (
                Admission {
                    accounts: 2,
                    stopped: true,
                    ..calm
                },
                0,
            ),
        ];
        for (admission, room) in cases {
            assert_eq!(admission.room(&LIMITS), room, "{admission:?}");
        }
    }
}
