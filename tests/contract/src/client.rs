//! An LDAP client that shows what came, whatever it is.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Mod, Scope, SearchEntry};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::task::JoinSet;

/// A connection.
pub struct Client {
    ldap: Ldap,
    /// Drives the connection until it is dropped.
    _driver: JoinSet<()>,
}

/// One object of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    /// Names as they came, options included.
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// What a search gave.
#[derive(Debug)]
pub struct Answer {
    pub code: u32,
    pub text: String,
    pub entries: Vec<Entry>,
    pub references: usize,
    controls: Vec<(String, Vec<u8>)>,
}

/// A change of an attribute.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    Add(&'a str, &'a str),
    Delete(&'a str, &'a str),
    Replace(&'a str, &'a str),
    Clear(&'a str),
    /// Sets a password as an administrator does.
    Reset(&'a str),
}

impl Entry {
    /// The values of an attribute by its plain name.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, values)| values.as_slice())
            .unwrap_or_default()
    }

    pub fn text(&self, name: &str) -> String {
        let value = self.values(name).first().cloned().unwrap_or_default();
        String::from_utf8_lossy(&value).into_owned()
    }

    pub fn texts(&self, name: &str) -> HashSet<String> {
        let values = self.values(name).iter();
        values
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes
            .iter()
            .any(|(found, _)| found.eq_ignore_ascii_case(name))
    }

    /// The names that came, in lower case.
    pub fn names(&self) -> HashSet<String> {
        self.attributes
            .iter()
            .map(|(name, _)| name.to_lowercase())
            .collect()
    }

    pub fn guid(&self) -> Vec<u8> {
        self.values("objectGUID")
            .first()
            .cloned()
            .unwrap_or_default()
    }
}

impl Answer {
    /// Those that were found, each by the first value of an attribute.
    pub fn firsts(&self, attribute: &str) -> HashSet<String> {
        self.entries
            .iter()
            .map(|entry| entry.text(attribute))
            .collect()
    }

    pub fn control(&self, oid: &str) -> Option<&[u8]> {
        let found = self.controls.iter().find(|(found, _)| found == oid)?;
        Some(&found.1)
    }

    /// The entry of an object, by its id.
    pub fn of(&self, guid: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.guid() == guid)
    }
}

/// Controls in their wire form.
pub mod control {
    use ldap3::controls::RawControl;

    pub const PAGED: &str = "1.2.840.113556.1.4.319";
    pub const DIRSYNC: &str = "1.2.840.113556.1.4.841";

    fn critical(oid: &str, value: Option<Vec<u8>>) -> RawControl {
        RawControl {
            ctype: oid.to_owned(),
            crit: true,
            val: value,
        }
    }

    pub fn show_deleted() -> RawControl {
        critical("1.2.840.113556.1.4.417", None)
    }

    pub fn extended_dn() -> RawControl {
        critical("1.2.840.113556.1.4.529", Some(vec![0x30, 3, 2, 1, 1]))
    }

    /// One that no server knows.
    pub fn unknown() -> RawControl {
        critical("1.2.3.4.5.6.7.8", None)
    }

    pub fn paged(size: u8, cookie: &[u8]) -> RawControl {
        let mut content = vec![2, 1, size & 0x7f];
        content.extend(octets(cookie));
        critical(PAGED, Some(sequence(content)))
    }

    /// `flags` as the number it is on the wire, below 2^31.
    pub fn dirsync(flags: u32, cookie: &[u8]) -> RawControl {
        let mut content = vec![2, 5, 0];
        content.extend(flags.to_be_bytes());
        // Room for as much as a server likes to give.
        content.extend([2, 4, 0x00, 0x7f, 0xff, 0xff]);
        content.extend(octets(cookie));
        critical(DIRSYNC, Some(sequence(content)))
    }

    fn octets(bytes: &[u8]) -> Vec<u8> {
        element(4, bytes)
    }

    fn sequence(content: Vec<u8>) -> Vec<u8> {
        element(0x30, &content)
    }

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
        let mut element = vec![tag, 0x82];
        element.extend(length.to_be_bytes());
        element.extend(content);
        element
    }

    /// The cookie in the value of an answer's control: the last of its octet strings.
    pub fn cookie(value: &[u8]) -> Vec<u8> {
        let mut rest = value;
        let mut last = Vec::new();
        while let Some((tag, content, behind)) = split(rest) {
            if tag == 0x30 {
                rest = content;
                continue;
            }
            if tag == 4 {
                last = content.to_vec();
            }
            rest = behind;
        }
        last
    }

    /// The first number in the value of an answer's control.
    pub fn number(value: &[u8]) -> i64 {
        let content = split(value).map_or(value, |(_, content, _)| content);
        let number = split(content).map_or(&[][..], |(_, number, _)| number);
        number
            .iter()
            .fold(0, |all, byte| (all << 8) | i64::from(*byte))
    }

    fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
        let (tag, rest) = bytes.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if first & 0x80 == 0 {
            (usize::from(*first), rest)
        } else {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = length
                .iter()
                .fold(0, |all, byte| (all << 8) | usize::from(*byte));
            (length, rest)
        };
        let (content, behind) = rest.split_at_checked(length)?;
        Some((*tag, content, behind))
    }
}

/// A password as `unicodePwd` takes it.
pub(crate) fn unicode_password(password: &str) -> Vec<u8> {
    format!("\"{password}\"")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

impl Client {
    /// A connection over TLS that trusts one authority.
    pub async fn connect(url: &str, authority: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let settings = LdapConnSettings::new().set_config(Arc::new(config));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, url)
            .await
            .with_context(|| format!("failed to connect to {url}"))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Whoever waits for an answer is told that the connection is lost.
            drop(connection.drive().await);
        });
        Ok(Self {
            ldap,
            _driver: driver,
        })
    }

    pub async fn bind(&self, name: &str, password: &str) -> Result<(u32, String)> {
        let answer = self.ldap.clone().simple_bind(name, password).await?;
        Ok((answer.rc, answer.text))
    }

    pub async fn search(
        &self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        controls: Vec<RawControl>,
    ) -> Result<Answer> {
        let mut ldap = self.ldap.clone();
        ldap.with_controls(controls);
        let mut stream = ldap
            .streaming_search(base, scope, filter, attributes.to_vec())
            .await?;
        let (mut entries, mut references) = (Vec::new(), 0);
        while let Some(found) = stream.next().await? {
            if found.is_ref() {
                references += 1;
                continue;
            }
            let entry = SearchEntry::construct(found);
            let texts = entry
                .attrs
                .into_iter()
                .map(|(name, values)| (name, values.into_iter().map(String::into_bytes).collect()));
            entries.push(Entry {
                attributes: texts.chain(entry.bin_attrs).collect(),
                dn: entry.dn,
            });
        }
        let result = stream.finish().await;
        let controls = result
            .ctrls
            .into_iter()
            .map(|control| (control.1.ctype, control.1.val.unwrap_or_default()));
        Ok(Answer {
            code: result.rc,
            text: result.text,
            entries,
            references,
            controls: controls.collect(),
        })
    }

    /// Everything below a base that matches.
    pub async fn find(&self, base: &str, filter: &str, attributes: &[&str]) -> Result<Answer> {
        self.search(base, Scope::Subtree, filter, attributes, vec![])
            .await
    }

    /// One object, or nothing.
    pub async fn read(&self, dn: &str, attributes: &[&str]) -> Result<Option<Entry>> {
        let answer = self
            .search(dn, Scope::Base, "(objectClass=*)", attributes, vec![])
            .await?;
        Ok(answer.entries.into_iter().next())
    }

    /// One object that is there.
    pub async fn get(&self, dn: &str, attributes: &[&str]) -> Result<Entry> {
        let found = self.read(dn, attributes).await?;
        found.with_context(|| format!("{dn} isn't there"))
    }

    pub async fn add(&self, dn: &str, attributes: &[(&str, Vec<Vec<u8>>)]) -> Result<u32> {
        let attributes = attributes.iter().map(|(name, values)| {
            (
                name.as_bytes().to_vec(),
                values.iter().cloned().collect::<HashSet<_>>(),
            )
        });
        Ok(self.ldap.clone().add(dn, attributes.collect()).await?.rc)
    }

    /// The result code, and the text beside it.
    pub async fn modify(&self, dn: &str, changes: &[Change<'_>]) -> Result<(u32, String)> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let one = |text: &str| HashSet::from([bytes(text)]);
        let changes = changes.iter().map(|change| match change {
            Change::Add(name, value) => Mod::Add(bytes(name), one(value)),
            Change::Delete(name, value) => Mod::Delete(bytes(name), one(value)),
            Change::Replace(name, value) => Mod::Replace(bytes(name), one(value)),
            Change::Clear(name) => Mod::Delete(bytes(name), HashSet::new()),
            Change::Reset(password) => Mod::Replace(
                bytes("unicodePwd"),
                HashSet::from([unicode_password(password)]),
            ),
        });
        let answer = self.ldap.clone().modify(dn, changes.collect()).await?;
        Ok((answer.rc, answer.text))
    }

    /// A change of the password by its owner.
    pub async fn change_password(&self, dn: &str, old: &str, new: &str) -> Result<(u32, String)> {
        let value = |password| HashSet::from([unicode_password(password)]);
        let changes = vec![
            Mod::Delete(b"unicodePwd".to_vec(), value(old)),
            Mod::Add(b"unicodePwd".to_vec(), value(new)),
        ];
        let answer = self.ldap.clone().modify(dn, changes).await?;
        Ok((answer.rc, answer.text))
    }

    /// Brings a deleted object back.
    pub async fn restore(&self, tombstone: &str, dn: &str) -> Result<u32> {
        let changes = vec![
            Mod::Delete(b"isDeleted".to_vec(), HashSet::new()),
            Mod::Replace(
                b"distinguishedName".to_vec(),
                HashSet::from([dn.as_bytes().to_vec()]),
            ),
        ];
        let mut ldap = self.ldap.clone();
        ldap.with_controls(vec![control::show_deleted()]);
        Ok(ldap.modify(tombstone, changes).await?.rc)
    }

    pub async fn delete(&self, dn: &str) -> Result<u32> {
        Ok(self.ldap.clone().delete(dn).await?.rc)
    }

    pub async fn rename(&self, dn: &str, rdn: &str, parent: Option<&str>) -> Result<u32> {
        Ok(self.ldap.clone().modifydn(dn, rdn, true, parent).await?.rc)
    }
}
