//! Counting what passes: bytes, LDAP messages, TLS records.

/// What a cut counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Byte,
    LdapMessage,
    TlsRecord,
}

/// Finds, in chunks cut anywhere, where each unit ends.
#[derive(Debug)]
pub(crate) struct Counter {
    unit: Unit,
    /// How many units are still to pass.
    wanted: u64,
    /// The unit's header as far as it was seen.
    header: Vec<u8>,
    /// How much of the unit's body is still to come, once the header is whole.
    body: Option<u64>,
}

impl Counter {
    pub(crate) fn new(unit: Unit, wanted: u64) -> Self {
        Self {
            unit,
            wanted,
            header: Vec::new(),
            body: None,
        }
    }

    /// How much of `chunk` may pass, when the last wanted unit ends in it.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut at = 0;
        while self.wanted > 0 {
            let rest = chunk.get(at..).filter(|rest| !rest.is_empty())?;
            at += self.step(rest);
        }
        Some(at)
    }

    /// Takes one byte of a header, or as much of a body as there is. Returns how much it took.
    fn step(&mut self, rest: &[u8]) -> usize {
        let available = rest.len() as u64;
        if self.unit == Unit::Byte {
            let taken = available.min(self.wanted);
            self.wanted -= taken;
            return taken as usize;
        }
        let (taken, left) = match self.body {
            Some(left) => (available.min(left), Some(left - available.min(left))),
            None => {
                self.header.extend(rest.first());
                (1, self.body_length())
            }
        };
        self.body = left;
        if left == Some(0) {
            self.body = None;
            self.header.clear();
            self.wanted -= 1;
        }
        taken as usize
    }

    /// The length of the body, when the header is whole.
    fn body_length(&self) -> Option<u64> {
        match (self.unit, self.header.as_slice()) {
            (Unit::TlsRecord, [_, _, _, high, low]) => {
                Some(u64::from(u16::from_be_bytes([*high, *low])))
            }
            // BER: a tag, then a length, or the number of bytes that hold it.
            (Unit::LdapMessage, [_, short]) if *short < 0x80 => Some(u64::from(*short)),
            (Unit::LdapMessage, [_, count, length @ ..])
                if *count >= 0x80 && length.len() == usize::from(*count & 0x7f) =>
            {
                Some(
                    length
                        .iter()
                        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
                )
            }
            (Unit::Byte | Unit::TlsRecord | Unit::LdapMessage, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two LDAP messages: a short one, and one whose length takes two bytes.
    fn messages() -> Vec<u8> {
        let mut bytes = vec![0x30, 3, 1, 2, 3, 0x30, 0x82, 0x01, 0x00];
        bytes.extend([7; 256]);
        bytes.extend([0x30, 0]);
        bytes
    }

    #[test]
    fn the_end_of_a_message_is_found_however_the_stream_is_cut() {
        for (wanted, end) in [(0, 0), (1, 5), (2, 265), (3, 267)] {
            for chunk in [1, 2, 7, 100, 1000] {
                let mut counter = Counter::new(Unit::LdapMessage, wanted);
                let mut passed = 0;
                for part in messages().chunks(chunk) {
                    match counter.feed(part) {
                        Some(at) => {
                            passed += at;
                            break;
                        }
                        None => passed += part.len(),
                    }
                }
                assert_eq!(passed, end, "{wanted} messages in chunks of {chunk}");
            }
        }
    }

    #[test]
    fn tls_records_and_bytes_are_counted() {
        let records = [22, 3, 3, 0, 2, 9, 9, 23, 3, 3, 0, 1, 9];

        assert_eq!(Counter::new(Unit::TlsRecord, 1).feed(&records), Some(7));
        assert_eq!(Counter::new(Unit::TlsRecord, 2).feed(&records), Some(13));
        assert_eq!(Counter::new(Unit::TlsRecord, 3).feed(&records), None);
        assert_eq!(Counter::new(Unit::Byte, 4).feed(&records), Some(4));
    }
}
