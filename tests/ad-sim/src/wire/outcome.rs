//! How a request ends: a result code, and the text a domain controller puts beside it.

/// Result codes (RFC 4511, appendix A) that a domain controller uses.
pub mod code {
    pub const SUCCESS: u8 = 0;
    pub const OPERATIONS_ERROR: u8 = 1;
    pub const PROTOCOL_ERROR: u8 = 2;
    pub const SIZE_LIMIT_EXCEEDED: u8 = 4;
    pub const AUTH_METHOD_NOT_SUPPORTED: u8 = 7;
    pub const STRONGER_AUTH_REQUIRED: u8 = 8;
    pub const REFERRAL: u8 = 10;
    pub const UNAVAILABLE_CRITICAL_EXTENSION: u8 = 12;
    pub const NO_SUCH_ATTRIBUTE: u8 = 16;
    pub const INAPPROPRIATE_MATCHING: u8 = 18;
    pub const CONSTRAINT_VIOLATION: u8 = 19;
    pub const ATTRIBUTE_OR_VALUE_EXISTS: u8 = 20;
    pub const INVALID_ATTRIBUTE_SYNTAX: u8 = 21;
    pub const NO_SUCH_OBJECT: u8 = 32;
    pub const INVALID_DN_SYNTAX: u8 = 34;
    pub const INVALID_CREDENTIALS: u8 = 49;
    pub const INSUFFICIENT_ACCESS_RIGHTS: u8 = 50;
    pub const BUSY: u8 = 51;
    pub const UNAVAILABLE: u8 = 52;
    pub const UNWILLING_TO_PERFORM: u8 = 53;
    pub const NAMING_VIOLATION: u8 = 64;
    pub const OBJECT_CLASS_VIOLATION: u8 = 65;
    pub const NOT_ALLOWED_ON_NON_LEAF: u8 = 66;
    pub const ENTRY_ALREADY_EXISTS: u8 = 68;
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: u8,
    pub(crate) text: String,
    pub(crate) matched: String,
    pub(crate) referral: Option<String>,
}

impl Outcome {
    pub(crate) fn success() -> Self {
        Self::new(code::SUCCESS, "")
    }

    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            matched: String::new(),
            referral: None,
        }
    }

    pub(crate) fn no_such_object(matched: &str) -> Self {
        Self {
            matched: matched.to_owned(),
            ..Self::new(
                code::NO_SUCH_OBJECT,
                format!(
                    "0000208D: NameErr: DSID-0310028D, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'{matched}'\n"
                ),
            )
        }
    }

    pub(crate) fn no_access() -> Self {
        Self::new(
            code::INSUFFICIENT_ACCESS_RIGHTS,
            "00000005: SecErr: DSID-031A1190, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n",
        )
    }

    /// `data` is the sub-code that tells one refused logon from another.
    pub(crate) fn logon_refused(data: &str) -> Self {
        Self::new(
            code::INVALID_CREDENTIALS,
            format!(
                "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v2580"
            ),
        )
    }

    pub(crate) fn bind_first() -> Self {
        Self::new(
            code::OPERATIONS_ERROR,
            "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v2580",
        )
    }

    pub(crate) fn bad_dn() -> Self {
        Self::new(
            code::INVALID_DN_SYNTAX,
            "0000208F: NameErr: DSID-03100231, problem 2006 (BAD_NAME), data 8350, best match of:\n",
        )
    }

    pub(crate) fn bad_control() -> Self {
        Self::new(
            code::UNAVAILABLE_CRITICAL_EXTENSION,
            "00000057: LdapErr: DSID-0C090795, comment: Error processing control, data 0, v2580",
        )
    }

    pub(crate) fn attribute(code: u8, error: u32, problem: &str, attribute: &str) -> Self {
        Self::new(
            code,
            format!(
                "{error:08X}: AtrErr: DSID-03191083, #1:\n\t0: {error:08X}: DSID-03191083, problem {problem}, data 0, Att {attribute}\n"
            ),
        )
    }

    pub(crate) fn unwilling(error: u32) -> Self {
        Self::new(
            code::UNWILLING_TO_PERFORM,
            format!(
                "{error:08X}: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\n"
            ),
        )
    }
}
