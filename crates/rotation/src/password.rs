//! New passwords.

use secrecy::SecretString;
use zeroize::Zeroizing;

/// A cryptographically secure source of random bytes.
pub trait Entropy {
    type Error;

    /// Fills `bytes`.
    ///
    /// # Errors
    ///
    /// Where the system gives none. No password is made then.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error>;
}

/// Characters by class. The letters are those that the Latin keyboard layouts (QWERTY, QWERTZ, AZERTY, the Nordic and
/// Romance ones) have in one place, shifted or not; the digits and signs are those of the numeric pad, whose keys mean the
/// same on all of them. A key that types the password as a keyboard therefore types it right without knowing the layout.
const CLASSES: [&[u8]; 4] = [
    b"bcdefghijklnrtuv",
    b"BCDEFGHIJKLNRTUV",
    b"0123456789",
    b"+-*/",
];

const ALPHABET_LEN: usize = 16 + 16 + 10 + 4;

/// Characters where the policy asks for no more: 132 bits.
const USUAL: usize = 24;
/// Where a stricter policy may apply than the one that could be read.
const CAUTIOUS: usize = 32;
/// The longest that Active Directory's own dialogs and Entra ID take.
const LONGEST: usize = 127;
/// Parts of a name shorter than this are no matter to the policy ([MS-SAMR] 3.1.1.7.2).
const SHORTEST_PART: usize = 3;
/// Attempts at one. A candidate fails for a missing class in one case of nine, for a name almost never.
const ATTEMPTS: usize = 1_000;

/// What a password must be like, as the directory applies it to one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The least number of characters.
    pub min_length: usize,
    /// A stricter policy may apply that could not be read.
    pub may_be_stricter: bool,
    /// The logon name: the policy refuses a password that contains it.
    pub logon_name: String,
    /// The display name: the policy refuses a password that contains one of its parts.
    pub display_name: String,
}

/// Why there is no password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unattainable<E> {
    #[error(
        "the policy asks for {0} characters, and no directory's own dialog takes more than {LONGEST}"
    )]
    TooLong(usize),
    #[error("no password without the account's names was found: they hold every usable character")]
    Names,
    #[error("the system gives no random bytes")]
    Entropy(E),
}

/// A new password: uniformly chosen among those that hold all four classes and none of the names.
///
/// # Errors
///
/// [`Unattainable`], which changes nothing by being tried again, except for [`Unattainable::Entropy`].
pub fn generate<E: Entropy>(
    requirements: &Requirements,
    entropy: &mut E,
) -> Result<SecretString, Unattainable<E::Error>> {
    let length = requirements.length()?;
    let parts = requirements.name_parts();
    for _ in 0..ATTEMPTS {
        let candidate = random(length, entropy)?;
        let all_classes = CLASSES
            .iter()
            .all(|class| candidate.bytes().any(|byte| class.contains(&byte)));
        let lower = Zeroizing::new(candidate.to_ascii_lowercase());
        if all_classes && !parts.iter().any(|part| lower.contains(part.as_str())) {
            return Ok(SecretString::from(candidate.as_str()));
        }
    }
    Err(Unattainable::Names)
}

fn random<E: Entropy>(
    length: usize,
    entropy: &mut E,
) -> Result<Zeroizing<String>, Unattainable<E::Error>> {
    let alphabet: Vec<u8> = CLASSES.concat();
    // The largest multiple of the alphabet in a byte: those above would make its first characters more frequent.
    let fair = 256 / ALPHABET_LEN * ALPHABET_LEN;
    // Of its full size from the start: growing would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(length));
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while text.len() < length {
        entropy
            .fill(bytes.as_mut_slice())
            .map_err(Unattainable::Entropy)?;
        for byte in bytes.iter().map(|byte| usize::from(*byte)) {
            if byte < fair
                && text.len() < length
                && let Some(character) = alphabet.get(byte % ALPHABET_LEN)
            {
                text.push(char::from(*character));
            }
        }
    }
    Ok(text)
}

impl Requirements {
    fn length<E>(&self) -> Result<usize, Unattainable<E>> {
        let usual = match self.may_be_stricter {
            true => CAUTIOUS,
            false => USUAL,
        };
        match self.min_length.max(usual) {
            length if length > LONGEST => Err(Unattainable::TooLong(length)),
            length => Ok(length),
        }
    }

    /// The texts no password may contain, in lower case: the logon name whole, and the display name's parts.
    fn name_parts(&self) -> Vec<String> {
        let separators = |c: char| c.is_whitespace() || ",.-_#".contains(c);
        std::iter::once(self.logon_name.as_str())
            .chain(self.display_name.split(separators))
            .filter(|part| part.chars().count() >= SHORTEST_PART)
            .map(str::to_lowercase)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    /// Not random at all, and repeatable: xorshift.
    struct Numbers(u64);

    impl Entropy for Numbers {
        type Error = Infallible;

        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            for byte in bytes {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                *byte = (self.0 >> 32) as u8;
            }
            Ok(())
        }
    }

    fn numbers(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    #[test]
    fn classes_and_length_do_not_hang_on_luck() {
        let cases = [
            (0, false, 24),
            (0, true, 32),
            (40, false, 40),
            (127, true, 127),
        ];
        for (seed, (min_length, may_be_stricter, length)) in (0..200).zip(cases.iter().cycle()) {
            let requirements = Requirements {
                min_length: *min_length,
                may_be_stricter: *may_be_stricter,
                ..Requirements::default()
            };
            let password = generate(&requirements, &mut numbers(seed)).unwrap();
            let password = password.expose_secret();
            assert_eq!(password.len(), *length);
            for class in CLASSES {
                assert!(password.bytes().any(|byte| class.contains(&byte)));
            }
        }
    }

    #[test]
    fn a_policy_that_no_password_can_meet_is_named() {
        let long = Requirements {
            min_length: 128,
            ..Requirements::default()
        };
        assert!(matches!(
            generate(&long, &mut numbers(1)),
            Err(Unattainable::TooLong(128))
        ));
    }

    #[test]
    fn every_character_is_as_likely_as_any_other() {
        let mut counts = [0_u32; 256];
        let mut numbers = numbers(7);
        for _ in 0..2_000 {
            let text = random(32, &mut numbers).unwrap();
            for byte in text.bytes() {
                counts[usize::from(byte)] += 1;
            }
        }
        // 64,000 over 46 characters: 1,391 each, give or take 37; six times that is no chance.
        for byte in CLASSES.concat() {
            let count = counts[usize::from(byte)];
            assert!(
                (1_169..1_614).contains(&count),
                "{}: {count}",
                char::from(byte)
            );
        }
    }

    proptest! {
        #[test]
        fn names_are_in_no_password(seed: u64, logon in "[bcdeBCDE]{3}", display in "([bBcC]{1,3}[ ,.#_-]){1,4}") {
            let requirements = Requirements {
                logon_name: logon.clone(),
                display_name: display.clone(),
                min_length: 100,
                ..Requirements::default()
            };
            let Ok(password) = generate(&requirements, &mut numbers(seed)) else {
                // Long passwords over short names may be unlucky a thousand times.
                return Ok(());
            };
            let lower = password.expose_secret().to_lowercase();
            prop_assert!(!lower.contains(&logon.to_lowercase()));
            for part in display.to_lowercase().split([' ', ',', '.', '#', '_', '-']) {
                prop_assert!(part.len() < 3 || !lower.contains(part));
            }
        }
    }
}
