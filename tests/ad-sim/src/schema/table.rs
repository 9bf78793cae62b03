//! The attributes that are known here: facts of the Active Directory schema.
//!
//! Source: the attribute definitions of Windows Server 2008 R2 that Microsoft published for implementers ([MS-ADA1] to
//! [MS-ADA3]). Of each: its name, its id in replication metadata, its schemaIDGUID, its property set, its syntax, and what
//! is special about it.

use super::flag::{BACKLINK, CONSTRUCTED, KEPT, LINK, LOCAL, MULTI};
use super::{Attr, Attribute, Syntax};

const fn row(
    name: &'static str,
    id: u32,
    guid: u128,
    property_set: u128,
    syntax: Syntax,
    flags: u8,
) -> Attribute {
    Attribute {
        name,
        id,
        guid,
        property_set,
        syntax,
        flags,
    }
}

#[rustfmt::skip]
pub(crate) static ATTRIBUTES: &[Attribute] = &[
    row("objectClass", 0x0, 0xbf9679e50de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Oid, KEPT | MULTI),
    row("objectGUID", 0x90002, 0xbf9679e70de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Octets, KEPT | LOCAL),
    row("objectSid", 0x90092, 0xbf9679e80de611d0a28500aa003049e2, 0x59ba2f4279a211d0902000c04fc2d3cf, Syntax::Sid, KEPT),
    row("objectCategory", 0x9030e, 0x26d97369607011d1a9c60000f80367c1, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Dn, 0),
    row("instanceType", 0x20001, 0xbf96798c0de611d0a28500aa003049e2, 0, Syntax::Int, KEPT),
    row("distinguishedName", 0x31, 0xbf9679e40de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Dn, KEPT | LOCAL),
    row("cn", 0x3, 0xbf96793f0de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, 0),
    row("ou", 0xb, 0xbf9679f00de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, MULTI),
    row("dc", 0x150019, 0x19195a556da011d0afd300c04fd930c9, 0, Syntax::Text, 0),
    row("name", 0x90001, 0xbf967a0e0de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, KEPT),
    row("description", 0xd, 0xbf9679500de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, MULTI),
    row("whenCreated", 0x20002, 0xbf967a780de611d0a28500aa003049e2, 0, Syntax::Time, 0),
    row("whenChanged", 0x20003, 0xbf967a770de611d0a28500aa003049e2, 0, Syntax::Time, LOCAL),
    row("uSNCreated", 0x20013, 0xbf967a700de611d0a28500aa003049e2, 0, Syntax::Int, KEPT | LOCAL),
    row("uSNChanged", 0x20078, 0xbf967a6f0de611d0a28500aa003049e2, 0, Syntax::Int, KEPT | LOCAL),
    row("nTSecurityDescriptor", 0x20119, 0xbf9679e30de611d0a28500aa003049e2, 0, Syntax::Sd, KEPT),
    row("replPropertyMetaData", 0x90003, 0x281416c0196811d0a28f00aa003049e2, 0, Syntax::Octets, KEPT | LOCAL),
    row("isDeleted", 0x20030, 0xbf96798f0de611d0a28500aa003049e2, 0, Syntax::Bool, 0),
    row("lastKnownParent", 0x9030d, 0x52ab8670570911d1a9c60000f80367c1, 0, Syntax::Dn, 0),
    row("isRecycled", 0x9080a, 0x8fb5925655f1444baacbf5b482fe3459, 0, Syntax::Bool, KEPT),
    row("systemFlags", 0x90177, 0xe0fa1e629b4511d0afdd00c04fd930c9, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Int, KEPT),
    row("isCriticalSystemObject", 0x90364, 0x00fbf30d91fe11d1aebc0000f80367c1, 0, Syntax::Bool, 0),
    row("sAMAccountName", 0x900dd, 0x3e0abfd0126a11d0a06000aa006c33ed, 0x59ba2f4279a211d0902000c04fc2d3cf, Syntax::Text, KEPT),
    row("sAMAccountType", 0x9012e, 0x6e7b626c64f211d0afd200c04fd930c9, 0x59ba2f4279a211d0902000c04fc2d3cf, Syntax::Int, 0),
    row("userPrincipalName", 0x90290, 0x28630ebb41d511d1a9c10000f80367c1, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, 0),
    row("displayName", 0x2000d, 0xbf9679530de611d0a28500aa003049e2, 0x59ba2f4279a211d0902000c04fc2d3cf, Syntax::Text, 0),
    row("givenName", 0x2a, 0xf0f8ff8e119111d0a06000aa006c33ed, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, 0),
    row("sn", 0x4, 0xbf967a410de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, 0),
    row("mail", 0x150003, 0xbf9679610de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, 0),
    row("proxyAddresses", 0x200d2, 0xbf967a060de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, MULTI),
    row("telephoneNumber", 0x14, 0xbf967a490de611d0a28500aa003049e2, 0x77b5b886944a11d1aebd0000f80367c1, Syntax::Text, 0),
    row("mobile", 0x150029, 0xf0f8ffa3119111d0a06000aa006c33ed, 0x77b5b886944a11d1aebd0000f80367c1, Syntax::Text, 0),
    row("department", 0x2008d, 0xbf96794f0de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, 0),
    row("company", 0x20092, 0xf0f8ff88119111d0a06000aa006c33ed, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, 0),
    row("title", 0xc, 0xbf967a550de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, 0),
    row("manager", 0x15000a, 0xbf9679b50de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Dn, LINK),
    row("directReports", 0x201b4, 0xbf967a1c0de611d0a28500aa003049e2, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Dn, LOCAL | MULTI | BACKLINK),
    row("employeeID", 0x90023, 0xbf9679620de611d0a28500aa003049e2, 0, Syntax::Text, 0),
    row("physicalDeliveryOfficeName", 0x13, 0xbf9679f70de611d0a28500aa003049e2, 0x77b5b886944a11d1aebd0000f80367c1, Syntax::Text, 0),
    row("userAccountControl", 0x90008, 0xbf967a680de611d0a28500aa003049e2, 0x4c16420020c011d0a76800aa006e0529, Syntax::Int, KEPT),
    row("pwdLastSet", 0x90060, 0xbf967a0a0de611d0a28500aa003049e2, 0x4c16420020c011d0a76800aa006e0529, Syntax::Int, 0),
    row("accountExpires", 0x9009f, 0xbf9679150de611d0a28500aa003049e2, 0x4c16420020c011d0a76800aa006e0529, Syntax::Int, 0),
    row("badPwdCount", 0x9000c, 0xbf96792e0de611d0a28500aa003049e2, 0x5f20201079a511d0902000c04fc2d4cf, Syntax::Int, LOCAL),
    row("badPasswordTime", 0x90031, 0xbf96792d0de611d0a28500aa003049e2, 0, Syntax::Int, LOCAL),
    row("lockoutTime", 0x90296, 0x28630ebf41d511d1a9c10000f80367c1, 0, Syntax::Int, 0),
    row("lastLogon", 0x90034, 0xbf9679970de611d0a28500aa003049e2, 0x5f20201079a511d0902000c04fc2d4cf, Syntax::Int, LOCAL),
    row("logonCount", 0x900a9, 0xbf9679aa0de611d0a28500aa003049e2, 0x5f20201079a511d0902000c04fc2d4cf, Syntax::Int, LOCAL),
    row("unicodePwd", 0x9005a, 0xbf9679e10de611d0a28500aa003049e2, 0, Syntax::Octets, 0),
    row("userPassword", 0x23, 0xbf967a6e0de611d0a28500aa003049e2, 0, Syntax::Octets, MULTI),
    row("primaryGroupID", 0x90062, 0xbf967a000de611d0a28500aa003049e2, 0x59ba2f4279a211d0902000c04fc2d3cf, Syntax::Int, 0),
    row("adminCount", 0x90096, 0xbf9679180de611d0a28500aa003049e2, 0, Syntax::Int, 0),
    row("servicePrincipalName", 0x90303, 0xf3a64788530611d1a9c50000f80367c1, 0xe48d0154bcf811d1870200c04fb96050, Syntax::Text, MULTI),
    row("dNSHostName", 0x9026b, 0x72e395477b1811d1adef00c04fd8d5cd, 0x72e395477b1811d1adef00c04fd8d5cd, Syntax::Text, 0),
    row("msDS-User-Account-Control-Computed", 0x905b4, 0x2cc4b836b63f49408d23ea7acf06af56, 0x4c16420020c011d0a76800aa006e0529, Syntax::Int, CONSTRUCTED),
    row("msDS-UserPasswordExpiryTimeComputed", 0x907cc, 0xadd5cf107b0944499ae62534148f8a72, 0x4c16420020c011d0a76800aa006e0529, Syntax::Int, CONSTRUCTED),
    row("msDS-ResultantPSO", 0x907e6, 0xb77ea09388d047809a98911f8e8b1dca, 0, Syntax::Dn, CONSTRUCTED),
    row("msDS-PSOApplied", 0x907e5, 0x5e6cf031bda843c8aca48fee4127005b, 0, Syntax::Dn, LOCAL | MULTI | BACKLINK),
    row("msDS-PSOAppliesTo", 0x907e4, 0x64c80f48cdd24881a86d4e97b6f561fc, 0, Syntax::Dn, MULTI | LINK),
    row("msDS-PasswordSettingsPrecedence", 0x907e7, 0x456374ac1f0a461793cfbc55a7c9d341, 0, Syntax::Int, 0),
    row("msDS-MinimumPasswordLength", 0x907dd, 0xb21b34394c3a441cbb5f08f20e9b315e, 0, Syntax::Int, 0),
    row("msDS-PasswordComplexityEnabled", 0x907df, 0xdb68054bc9c34bf0b15b0fb52552a610, 0, Syntax::Bool, 0),
    row("msDS-PasswordHistoryLength", 0x907de, 0xfed81bb7768c4c2f96412245de34794d, 0, Syntax::Int, 0),
    row("msDS-MinimumPasswordAge", 0x907dc, 0x2a74f8784d9c49f997b36767d1cbd9a3, 0, Syntax::Int, 0),
    row("msDS-MaximumPasswordAge", 0x907db, 0xfdd337f549994fceb2528ff9c9b43875, 0, Syntax::Int, 0),
    row("msDS-LockoutThreshold", 0x907e3, 0xb8c8c35e4a194a9599d069fe4446286f, 0, Syntax::Int, 0),
    row("msDS-LockoutDuration", 0x907e2, 0x421f889a472e4fe48eb9e1d0bc6071b2, 0, Syntax::Int, 0),
    row("msDS-LockoutObservationWindow", 0x907e1, 0xb05bda8976af468ab8921be55558ecc8, 0, Syntax::Int, 0),
    row("msDS-PasswordReversibleEncryptionEnabled", 0x907e0, 0x75ccdd8faf6c4487bb4b69e4d38a959c, 0, Syntax::Bool, 0),
    row("msDS-SecondaryKrbTgtNumber", 0x90789, 0xaa1566122396467ead6a28d23fdb1865, 0, Syntax::Int, 0),
    row("groupType", 0x902ee, 0x9a9a021e4a5b11d1a9c30000f80367c1, 0, Syntax::Int, KEPT),
    row("member", 0x1f, 0xbf9679c00de611d0a28500aa003049e2, 0xbc0ac24079a911d0902000c04fc2d4cf, Syntax::Dn, MULTI | LINK),
    row("memberOf", 0x20066, 0xbf9679910de611d0a28500aa003049e2, 0xbc0ac24079a911d0902000c04fc2d4cf, Syntax::Dn, LOCAL | MULTI | BACKLINK),
    row("primaryGroupToken", 0x90584, 0xc0ed87387efd448184d966d2db8be369, 0, Syntax::Int, CONSTRUCTED),
    row("tokenGroups", 0x90515, 0xb7c69e6d2cc711d2854e00a0c983f608, 0x037088f80ae111d2b42200a0c968f939, Syntax::Sid, CONSTRUCTED | MULTI),
    row("parentGUID", 0x904c8, 0x2df90d74009f11d2aa4c00c04fd7d83a, 0, Syntax::Octets, CONSTRUCTED),
    row("canonicalName", 0x90394, 0x9a7ad945ca5311d1bbd00080c76670c0, 0, Syntax::Text, CONSTRUCTED | MULTI),
    row("msDS-ReplAttributeMetaData", 0x906ab, 0xd7c53242724e4c399d4c2df8c9d66c7a, 0, Syntax::Text, CONSTRUCTED | MULTI),
    row("minPwdLength", 0x9004f, 0xbf9679c30de611d0a28500aa003049e2, 0xc740736020bf11d0a76800aa006e0529, Syntax::Int, 0),
    row("minPwdAge", 0x9004e, 0xbf9679c20de611d0a28500aa003049e2, 0xc740736020bf11d0a76800aa006e0529, Syntax::Int, 0),
    row("maxPwdAge", 0x9004a, 0xbf9679bb0de611d0a28500aa003049e2, 0xc740736020bf11d0a76800aa006e0529, Syntax::Int, 0),
    row("pwdHistoryLength", 0x9005f, 0xbf967a090de611d0a28500aa003049e2, 0xc740736020bf11d0a76800aa006e0529, Syntax::Int, 0),
    row("pwdProperties", 0x9005d, 0xbf967a0b0de611d0a28500aa003049e2, 0xc740736020bf11d0a76800aa006e0529, Syntax::Int, 0),
    row("lockoutThreshold", 0x90049, 0xbf9679a60de611d0a28500aa003049e2, 0xc740736020bf11d0a76800aa006e0529, Syntax::Int, 0),
    row("lockoutDuration", 0x9003c, 0xbf9679a50de611d0a28500aa003049e2, 0xc740736020bf11d0a76800aa006e0529, Syntax::Int, 0),
    row("lockOutObservationWindow", 0x9003d, 0xbf9679a40de611d0a28500aa003049e2, 0xc740736020bf11d0a76800aa006e0529, Syntax::Int, 0),
    row("fSMORoleOwner", 0x90171, 0x661718878f3c11d0afda00c04fd930c9, 0, Syntax::Dn, 0),
    row("nETBIOSName", 0x90057, 0xbf9679d80de611d0a28500aa003049e2, 0, Syntax::Text, 0),
    row("nCName", 0x20010, 0xbf9679d60de611d0a28500aa003049e2, 0, Syntax::Dn, KEPT),
    row("dnsRoot", 0x9001c, 0xbf9679590de611d0a28500aa003049e2, 0, Syntax::Text, MULTI),
    row("uPNSuffixes", 0x9037a, 0x032160bf982411d1aec00000f80367c1, 0, Syntax::Text, MULTI),
    row("invocationId", 0x20073, 0xbf96798e0de611d0a28500aa003049e2, 0, Syntax::Octets, 0),
    row("lDAPDisplayName", 0x201cc, 0xbf96799a0de611d0a28500aa003049e2, 0, Syntax::Text, KEPT),
    row("schemaIDGUID", 0x90094, 0xbf9679230de611d0a28500aa003049e2, 0, Syntax::Octets, 0),
    row("attributeSecurityGUID", 0x90095, 0xbf9679240de611d0a28500aa003049e2, 0, Syntax::Octets, 0),
    row("searchFlags", 0x2014e, 0xbf967a2d0de611d0a28500aa003049e2, 0, Syntax::Int, 0),
    row("attributeID", 0x2001e, 0xbf9679220de611d0a28500aa003049e2, 0, Syntax::Oid, KEPT),
    row("attributeSyntax", 0x20020, 0xbf9679250de611d0a28500aa003049e2, 0, Syntax::Oid, KEPT),
    row("isSingleValued", 0x20021, 0xbf9679920de611d0a28500aa003049e2, 0, Syntax::Bool, 0),
    row("linkID", 0x20032, 0xbf96799b0de611d0a28500aa003049e2, 0, Syntax::Int, 0),
];

/// The attributes by name, for the code.
#[rustfmt::skip]
#[expect(dead_code, reason = "each has its name, whether or not anything treats it in a special way")]
impl Attr {
    pub(crate) const OBJECT_CLASS: Self = Self(0);
    pub(crate) const OBJECT_GUID: Self = Self(1);
    pub(crate) const OBJECT_SID: Self = Self(2);
    pub(crate) const OBJECT_CATEGORY: Self = Self(3);
    pub(crate) const INSTANCE_TYPE: Self = Self(4);
    pub(crate) const DISTINGUISHED_NAME: Self = Self(5);
    pub(crate) const CN: Self = Self(6);
    pub(crate) const OU: Self = Self(7);
    pub(crate) const DC: Self = Self(8);
    pub(crate) const NAME: Self = Self(9);
    pub(crate) const DESCRIPTION: Self = Self(10);
    pub(crate) const WHEN_CREATED: Self = Self(11);
    pub(crate) const WHEN_CHANGED: Self = Self(12);
    pub(crate) const USN_CREATED: Self = Self(13);
    pub(crate) const USN_CHANGED: Self = Self(14);
    pub(crate) const SECURITY_DESCRIPTOR: Self = Self(15);
    pub(crate) const REPL_PROPERTY_META_DATA: Self = Self(16);
    pub(crate) const IS_DELETED: Self = Self(17);
    pub(crate) const LAST_KNOWN_PARENT: Self = Self(18);
    pub(crate) const IS_RECYCLED: Self = Self(19);
    pub(crate) const SYSTEM_FLAGS: Self = Self(20);
    pub(crate) const IS_CRITICAL_SYSTEM_OBJECT: Self = Self(21);
    pub(crate) const SAM_ACCOUNT_NAME: Self = Self(22);
    pub(crate) const SAM_ACCOUNT_TYPE: Self = Self(23);
    pub(crate) const USER_PRINCIPAL_NAME: Self = Self(24);
    pub(crate) const DISPLAY_NAME: Self = Self(25);
    pub(crate) const GIVEN_NAME: Self = Self(26);
    pub(crate) const SN: Self = Self(27);
    pub(crate) const MAIL: Self = Self(28);
    pub(crate) const PROXY_ADDRESSES: Self = Self(29);
    pub(crate) const TELEPHONE_NUMBER: Self = Self(30);
    pub(crate) const MOBILE: Self = Self(31);
    pub(crate) const DEPARTMENT: Self = Self(32);
    pub(crate) const COMPANY: Self = Self(33);
    pub(crate) const TITLE: Self = Self(34);
    pub(crate) const MANAGER: Self = Self(35);
    pub(crate) const DIRECT_REPORTS: Self = Self(36);
    pub(crate) const EMPLOYEE_ID: Self = Self(37);
    pub(crate) const PHYSICAL_DELIVERY_OFFICE_NAME: Self = Self(38);
    pub(crate) const USER_ACCOUNT_CONTROL: Self = Self(39);
    pub(crate) const PWD_LAST_SET: Self = Self(40);
    pub(crate) const ACCOUNT_EXPIRES: Self = Self(41);
    pub(crate) const BAD_PWD_COUNT: Self = Self(42);
    pub(crate) const BAD_PASSWORD_TIME: Self = Self(43);
    pub(crate) const LOCKOUT_TIME: Self = Self(44);
    pub(crate) const LAST_LOGON: Self = Self(45);
    pub(crate) const LOGON_COUNT: Self = Self(46);
    pub(crate) const UNICODE_PWD: Self = Self(47);
    pub(crate) const USER_PASSWORD: Self = Self(48);
    pub(crate) const PRIMARY_GROUP_ID: Self = Self(49);
    pub(crate) const ADMIN_COUNT: Self = Self(50);
    pub(crate) const SERVICE_PRINCIPAL_NAME: Self = Self(51);
    pub(crate) const DNS_HOST_NAME: Self = Self(52);
    pub(crate) const USER_ACCOUNT_CONTROL_COMPUTED: Self = Self(53);
    pub(crate) const PASSWORD_EXPIRY_COMPUTED: Self = Self(54);
    pub(crate) const RESULTANT_PSO: Self = Self(55);
    pub(crate) const PSO_APPLIED: Self = Self(56);
    pub(crate) const PSO_APPLIES_TO: Self = Self(57);
    pub(crate) const PSO_PASSWORD_SETTINGS_PRECEDENCE: Self = Self(58);
    pub(crate) const PSO_MINIMUM_PASSWORD_LENGTH: Self = Self(59);
    pub(crate) const PSO_PASSWORD_COMPLEXITY_ENABLED: Self = Self(60);
    pub(crate) const PSO_PASSWORD_HISTORY_LENGTH: Self = Self(61);
    pub(crate) const PSO_MINIMUM_PASSWORD_AGE: Self = Self(62);
    pub(crate) const PSO_MAXIMUM_PASSWORD_AGE: Self = Self(63);
    pub(crate) const PSO_LOCKOUT_THRESHOLD: Self = Self(64);
    pub(crate) const PSO_LOCKOUT_DURATION: Self = Self(65);
    pub(crate) const PSO_LOCKOUT_OBSERVATION_WINDOW: Self = Self(66);
    pub(crate) const PSO_PASSWORD_REVERSIBLE_ENCRYPTION_ENABLED: Self = Self(67);
    pub(crate) const SECONDARY_KRBTGT: Self = Self(68);
    pub(crate) const GROUP_TYPE: Self = Self(69);
    pub(crate) const MEMBER: Self = Self(70);
    pub(crate) const MEMBER_OF: Self = Self(71);
    pub(crate) const PRIMARY_GROUP_TOKEN: Self = Self(72);
    pub(crate) const TOKEN_GROUPS: Self = Self(73);
    pub(crate) const PARENT_GUID: Self = Self(74);
    pub(crate) const CANONICAL_NAME: Self = Self(75);
    pub(crate) const REPL_ATTRIBUTE_META_DATA: Self = Self(76);
    pub(crate) const MIN_PWD_LENGTH: Self = Self(77);
    pub(crate) const MIN_PWD_AGE: Self = Self(78);
    pub(crate) const MAX_PWD_AGE: Self = Self(79);
    pub(crate) const PWD_HISTORY_LENGTH: Self = Self(80);
    pub(crate) const PWD_PROPERTIES: Self = Self(81);
    pub(crate) const LOCKOUT_THRESHOLD: Self = Self(82);
    pub(crate) const LOCKOUT_DURATION: Self = Self(83);
    pub(crate) const LOCKOUT_OBSERVATION_WINDOW: Self = Self(84);
    pub(crate) const FSMO_ROLE_OWNER: Self = Self(85);
    pub(crate) const NETBIOS_NAME: Self = Self(86);
    pub(crate) const NC_NAME: Self = Self(87);
    pub(crate) const DNS_ROOT: Self = Self(88);
    pub(crate) const UPN_SUFFIXES: Self = Self(89);
    pub(crate) const INVOCATION_ID: Self = Self(90);
    pub(crate) const LDAP_DISPLAY_NAME: Self = Self(91);
    pub(crate) const SCHEMA_ID_GUID: Self = Self(92);
    pub(crate) const ATTRIBUTE_SECURITY_GUID: Self = Self(93);
    pub(crate) const SEARCH_FLAGS: Self = Self(94);
    pub(crate) const ATTRIBUTE_ID: Self = Self(95);
    pub(crate) const ATTRIBUTE_SYNTAX: Self = Self(96);
    pub(crate) const IS_SINGLE_VALUED: Self = Self(97);
    pub(crate) const LINK_ID: Self = Self(98);
}
