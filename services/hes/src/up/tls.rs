//! A certificate of our own: a local authority, made once, and the server's certificate it issues.
//!
//! A key and its certificate share one file, so that a crash can't part them; `ca.pem` is the authority's certificate
//! alone, to hand out.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use runtime::tls;
use x509_parser::{extensions::GeneralName, pem::Pem};

use super::data_dir::{DataDir, Readers};
use crate::failure::Failure;

pub(super) const CA: &str = "ca.pem";
const AUTHORITY: &str = "authority.key";
const SERVER: &str = "server.key";

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Clients' clocks may be behind.
const BACKDATED: Duration = DAY;
const AUTHORITY_LASTS: Duration = DAY.saturating_mul(3650);
const AUTHORITY_RENEWED: Duration = DAY.saturating_mul(800);
/// A process that isn't restarted for a year still has a valid certificate.
const SERVER_LASTS: Duration = DAY.saturating_mul(731);
const SERVER_RENEWED: Duration = DAY.saturating_mul(365);

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("failed to make a key or a certificate")]
    Make(#[from] rcgen::Error),
    #[error("this machine's clock is out of the range of certificates")]
    Time,
}

/// The certificate to serve on `listen` with, made or renewed as needed.
pub(super) fn open(
    dir: &DataDir,
    listen: SocketAddr,
    names: &[String],
    now: Timestamp,
) -> Result<tls::Settings, Failure> {
    let names = names_of(listen, names);
    let failed = |problem: Problem| {
        Failure::new(format!(
            "could not make the server's certificate in {}",
            dir.path().display()
        ))
        .caused_by(&problem)
    };
    let authority = match dir
        .read(AUTHORITY)?
        .and_then(text)
        .filter(|pem| lasts(pem, now, AUTHORITY_RENEWED))
    {
        Some(pem) => pem,
        None => {
            let pem = make_authority(now).map_err(failed)?;
            // What the old authority issued is worth nothing.
            if dir.file(SERVER).exists() {
                dir.write(SERVER, b"", Readers::Owner)?;
            }
            dir.write(AUTHORITY, pem.as_bytes(), Readers::Owner)?;
            pem
        }
    };
    let public = certificate_part(&authority);
    if dir.read(CA)?.and_then(text).as_deref() != Some(public) {
        dir.write(CA, public.as_bytes(), Readers::Everyone)?;
    }
    let server = dir.read(SERVER)?.and_then(text);
    if !server.is_some_and(|pem| lasts(&pem, now, SERVER_RENEWED) && covers(&pem, &names)) {
        let pem = make_server(&authority, &names, now).map_err(failed)?;
        dir.write(SERVER, pem.as_bytes(), Readers::Owner)?;
    }
    Ok(tls::Settings {
        certificate_file: Some(dir.file(SERVER)),
        key_file: Some(dir.file(SERVER)),
        client_ca_file: None,
    })
}

/// The names that clients may call the server by.
fn names_of(listen: SocketAddr, more: &[String]) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    if listen.ip().is_unspecified() {
        // It answers on every address; of those, the machine's name is what people use.
        names.extend(
            fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()),
        );
    } else {
        names.push(listen.ip().to_string());
    }
    names.extend_from_slice(more);
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names
}

fn make_authority(now: Timestamp) -> Result<String, Problem> {
    let key = KeyPair::generate()?;
    let mut params = params("hes local authority", now, AUTHORITY_LASTS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok(key.serialize_pem() + &certificate.pem())
}

fn make_server(authority: &str, names: &[String], now: Timestamp) -> Result<String, Problem> {
    let issuer =
        Issuer::from_ca_cert_pem(certificate_part(authority), KeyPair::from_pem(authority)?)?;
    let key = KeyPair::generate()?;
    let mut params = params("hes", now, SERVER_LASTS)?;
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(key.serialize_pem() + &certificate.pem())
}

fn params(name: &str, now: Timestamp, lasts: Duration) -> Result<CertificateParams, Problem> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let (year, month, day_of_month) =
        day(now.checked_sub(BACKDATED).map_err(|_| Problem::Time)?)?;
    params.not_before = date_time_ymd(year, month, day_of_month);
    let (year, month, day_of_month) = day(now.checked_add(lasts).map_err(|_| Problem::Time)?)?;
    params.not_after = date_time_ymd(year, month, day_of_month);
    Ok(params)
}

/// Dates a certificate, by the day: year, month, day.
fn day(time: Timestamp) -> Result<(i32, u8, u8), Problem> {
    let date = time.to_zoned_datetime(TimeZone::UTC).date();
    let part = |part: i8| u8::try_from(part).map_err(|_| Problem::Time);
    Ok((date.year().into(), part(date.month())?, part(date.day())?))
}

fn certificate_part(pem: &str) -> &str {
    pem.find("-----BEGIN CERTIFICATE-----")
        .and_then(|start| pem.get(start..))
        .unwrap_or_default()
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

/// Whether the certificate is still valid for longer than `time`, and its key is there.
fn lasts(pem: &str, now: Timestamp, time: Duration) -> bool {
    let until = inspect(pem, |certificate| {
        certificate.validity().not_after.timestamp()
    });
    let wanted = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    KeyPair::from_pem(pem).is_ok() && until.is_some_and(|until| until - now.as_second() > wanted)
}

fn covers(pem: &str, names: &[String]) -> bool {
    let known = inspect(pem, |certificate| {
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        alternatives
            .iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
                GeneralName::OtherName(..)
                | GeneralName::RFC822Name(_)
                | GeneralName::X400Address(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EDIPartyName(_)
                | GeneralName::URI(_)
                | GeneralName::RegisteredID(_)
                | GeneralName::Invalid(..) => None,
            })
            .collect::<Vec<_>>()
    });
    known.is_some_and(|known| names.iter().all(|name| known.contains(name)))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn inspect<T>(
    pem: &str,
    look: impl FnOnce(&x509_parser::certificate::X509Certificate<'_>) -> T,
) -> Option<T> {
    let (pem, _) = Pem::read(std::io::Cursor::new(certificate_part(pem))).ok()?;
    let certificate = pem.parse_x509().ok()?;
    Some(look(&certificate))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7443);

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn files(dir: &DataDir) -> [Vec<u8>; 3] {
        [CA, AUTHORITY, SERVER].map(|name| dir.read(name).unwrap().unwrap())
    }

    #[test]
    fn the_certificate_is_made_once_and_renewed_when_it_runs_out_or_lacks_a_name() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        open(&dir, LISTEN, &[], now()).unwrap();
        let first = files(&dir);

        open(&dir, LISTEN, &[], now() + DAY).unwrap();
        assert_eq!(files(&dir), first);

        open(&dir, LISTEN, &[], now() + SERVER_RENEWED + DAY + DAY).unwrap();
        let renewed = files(&dir);
        assert_eq!((&renewed[0], &renewed[1]), (&first[0], &first[1]));
        assert_ne!(renewed[2], first[2]);

        let later = now() + SERVER_RENEWED + DAY + DAY;
        open(&dir, LISTEN, &["hes.example.com".to_owned()], later).unwrap();
        assert_ne!(files(&dir)[2], renewed[2]);

        open(&dir, LISTEN, &[], now() + AUTHORITY_LASTS).unwrap();
        assert_ne!(files(&dir)[0], first[0]);
    }

    #[test]
    fn a_lost_public_certificate_comes_back_and_a_damaged_authority_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        open(&dir, LISTEN, &[], now()).unwrap();
        let first = files(&dir);

        fs::remove_file(dir.file(CA)).unwrap();
        open(&dir, LISTEN, &[], now()).unwrap();
        assert_eq!(files(&dir), first);

        fs::write(dir.file(AUTHORITY), "damaged").unwrap();
        let settings = open(&dir, LISTEN, &[], now()).unwrap();
        assert!(files(&dir).iter().zip(&first).all(|(new, old)| new != old));
        assert!(tls::server(&settings).unwrap().is_some());
    }

    #[test]
    fn the_public_file_holds_no_key() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::open(parent.path()).unwrap();
        open(&dir, LISTEN, &[], now()).unwrap();
        let [ca, ..] = files(&dir);
        assert!(!String::from_utf8(ca).unwrap().contains("PRIVATE"));
    }
}
