//! LDAP controls Active Directory knows, in their wire form.

use ldap3::controls::{PagedResults, RawControl};

/// RFC 2696, critical: a server that doesn't page must say so, not answer a part.
pub(crate) fn paged(size: u16, cookie: Vec<u8>) -> RawControl {
    let mut control = RawControl::from(PagedResults {
        size: i32::from(size),
        cookie,
    });
    control.crit = true;
    control
}

/// LDAP_SERVER_EXTENDED_DN_OID with text GUIDs: DN values come as `<GUID=…>;<SID=…>;CN=…`.
pub(crate) fn extended_dn() -> RawControl {
    critical("1.2.840.113556.1.4.529", Some(&sequence_of_integer(1)))
}

/// LDAP_SERVER_SHOW_DELETED_OID
pub(crate) fn show_deleted() -> RawControl {
    critical("1.2.840.113556.1.4.417", None)
}

/// LDAP_SERVER_SD_FLAGS_OID: owner, group and DACL. Without it the SACL is asked for too, which takes a privilege an
/// ordinary account lacks, and nTSecurityDescriptor is left out of the answer.
pub(crate) fn security_descriptor() -> RawControl {
    critical("1.2.840.113556.1.4.801", Some(&sequence_of_integer(0b111)))
}

fn critical(oid: &str, value: Option<&[u8]>) -> RawControl {
    RawControl {
        ctype: oid.to_owned(),
        crit: true,
        val: value.map(<[u8]>::to_vec),
    }
}

/// `SEQUENCE { INTEGER }` in BER, of a number below 128.
fn sequence_of_integer(number: u8) -> [u8; 5] {
    [0x30, 3, 0x02, 1, number & 0x7f]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ber() {
        assert_eq!(
            security_descriptor().val.as_deref(),
            Some([0x30, 3, 2, 1, 7].as_slice())
        );
        assert_eq!(
            paged(7, vec![0xab]).val.as_deref(),
            Some([0x30, 6, 2, 1, 7, 4, 1, 0xab].as_slice())
        );
    }
}
