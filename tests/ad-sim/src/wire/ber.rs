//! Just enough of BER for LDAP (RFC 4511, 5.1).

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// What was sent is no BER, or not what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// The elements of some bytes, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag that comes next.
    pub(crate) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element: its tag and its content.
    pub(crate) fn element(&mut self) -> Result<(u8, &'a [u8])> {
        let (tag, start, length) = header(self.0)?.ok_or(Malformed)?;
        let content = self.0.get(start..).and_then(|rest| rest.get(..length));
        let content = content.ok_or(Malformed)?;
        self.0 = self.0.get(start + length..).ok_or(Malformed)?;
        Ok((tag, content))
    }

    pub(crate) fn expect(&mut self, expected: u8) -> Result<&'a [u8]> {
        match self.element()? {
            (tag, content) if tag == expected => Ok(content),
            _ => Err(Malformed),
        }
    }

    /// The elements of the next one.
    pub(crate) fn nested(&mut self, tag: u8) -> Result<Reader<'a>> {
        self.expect(tag).map(Reader)
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>> {
        if self.tag() == Some(tag) {
            self.expect(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(crate) fn octets(&mut self) -> Result<Vec<u8>> {
        self.expect(OCTETS).map(<[u8]>::to_vec)
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        text(self.expect(OCTETS)?)
    }

    pub(crate) fn integer(&mut self) -> Result<i64> {
        integer(self.expect(INTEGER)?)
    }

    pub(crate) fn enumerated(&mut self) -> Result<i64> {
        integer(self.expect(ENUMERATED)?)
    }

    pub(crate) fn boolean(&mut self) -> Result<bool> {
        boolean(self.expect(BOOLEAN)?)
    }
}

pub(crate) fn text(content: &[u8]) -> Result<String> {
    String::from_utf8(content.to_vec()).map_err(|_| Malformed)
}

pub(crate) fn boolean(content: &[u8]) -> Result<bool> {
    match content {
        [byte] => Ok(*byte != 0),
        _ => Err(Malformed),
    }
}

fn integer(content: &[u8]) -> Result<i64> {
    let first = *content.first().ok_or(Malformed)?;
    if content.len() > 8 {
        return Err(Malformed);
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Ok(content
        .iter()
        .fold(sign, |number, byte| (number << 8) | i64::from(*byte)))
}

/// Tag, where the content starts, and its length; nothing while more bytes are needed to know them.
fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>> {
    let (Some(tag), Some(first)) = (bytes.first(), bytes.get(1)) else {
        return Ok(None);
    };
    if first & 0x80 == 0 {
        return Ok(Some((*tag, 2, usize::from(*first))));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(Malformed);
    }
    let Some(length) = bytes.get(2..2 + count) else {
        return Ok(None);
    };
    let length = length
        .iter()
        .fold(0, |length, byte| (length << 8) | usize::from(*byte));
    Ok(Some((*tag, 2 + count, length)))
}

/// How many bytes the first element has, header included; nothing while that is not known.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>> {
    Ok(header(bytes)?.map(|(_, start, length)| start + length))
}

/// Writes elements. Lengths take five bytes, as a domain controller writes them: what is nested needs no measuring first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn nested(&mut self, tag: u8, content: impl FnOnce(&mut Self)) {
        self.0.extend([tag, 0x84, 0, 0, 0, 0]);
        let start = self.0.len();
        content(self);
        let length = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        if let Some(place) = self.0.get_mut(start - 4..start) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    pub(crate) fn octets(&mut self, content: &[u8]) {
        self.primitive(OCTETS, content);
    }

    pub(crate) fn primitive(&mut self, tag: u8, content: &[u8]) {
        self.0.push(tag);
        match u8::try_from(content.len()) {
            Ok(length) if length < 0x80 => self.0.push(length),
            _ => {
                self.0.push(0x84);
                let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
                self.0.extend(length.to_be_bytes());
            }
        }
        self.0.extend(content);
    }

    pub(crate) fn integer(&mut self, tag: u8, number: i64) {
        let bytes = number.to_be_bytes();
        // As short as it goes: a leading byte that only repeats the sign is left out.
        let redundant = bytes
            .windows(2)
            .take_while(|pair| {
                matches!(pair, [0, next] if next & 0x80 == 0)
                    || matches!(pair, [0xff, next] if next & 0x80 != 0)
            })
            .count();
        self.primitive(tag, bytes.get(redundant..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_with_their_sign() {
        for number in [
            0,
            1,
            -1,
            127,
            128,
            -128,
            -129,
            0x8000_0000,
            i64::MIN,
            i64::MAX,
        ] {
            let mut writer = Writer::default();
            writer.integer(INTEGER, number);
            assert_eq!(Reader::new(&writer.0).integer(), Ok(number));
        }
    }

    #[test]
    fn a_length_is_known_as_soon_as_its_bytes_are_there() {
        let mut writer = Writer::default();
        writer.nested(SEQUENCE, |inner| inner.octets(&[7; 300]));
        let whole = writer.0.len();

        assert_eq!(length(&writer.0[..5]), Ok(None));
        assert_eq!(length(&writer.0[..6]), Ok(Some(whole)));
        assert_eq!(length(&[0x30, 0x80]), Err(Malformed));
        let mut reader = Reader::new(&writer.0);
        assert_eq!(reader.nested(SEQUENCE).unwrap().octets().unwrap(), [7; 300]);
        assert!(reader.is_empty());
    }
}
