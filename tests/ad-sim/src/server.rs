//! A domain controller's doors: LDAPS, and LDAP with StartTLS.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::change::Writer as On;
use crate::fault::{Fault, Script};
use crate::search::{Answer, Options, ResultSets};
use crate::security::Token;
use crate::store::replica::Replica;
use crate::wire::ber::{self, Writer};
use crate::wire::message::{self, Message, Password, Request, answer};
use crate::wire::outcome::{Outcome, code};

pub(crate) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
pub(crate) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

/// A request longer than this is none.
const LONGEST: usize = 10 * 1024 * 1024;
/// Bytes of entries that are sent together.
const BATCH: usize = 64 * 1024;

/// What the connections of a domain controller share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) replica: Arc<RwLock<Replica>>,
    pub(crate) faults: Script,
    pub(crate) tls: Arc<ServerConfig>,
}

/// Serves until it is dropped.
pub(crate) async fn serve(shared: Shared, plain: TcpListener, secure: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = plain.accept() => {
                if let Ok((stream, peer)) = accepted {
                    connections.spawn(in_the_open(shared.clone(), stream, peer));
                }
            }
            accepted = secure.accept() => {
                if let Ok((stream, peer)) = accepted {
                    connections.spawn(behind_tls(shared.clone(), stream, peer));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn behind_tls(shared: Shared, stream: TcpStream, peer: SocketAddr) {
    drop(stream.set_nodelay(true));
    match TlsAcceptor::from(Arc::clone(&shared.tls))
        .accept(stream)
        .await
    {
        Ok(stream) => {
            Session::new(shared, true).converse(stream).await;
        }
        Err(error) => tracing::debug!(%peer, %error, "TLS handshake failed"),
    }
}

async fn in_the_open(shared: Shared, stream: TcpStream, peer: SocketAddr) {
    drop(stream.set_nodelay(true));
    let ended = Session::new(shared.clone(), false).converse(stream).await;
    if let Ended::StartTls(stream) = ended {
        behind_tls(shared, stream, peer).await;
    }
}

/// How a conversation ended.
enum Ended<S> {
    Closed,
    StartTls(S),
}

/// One connection.
struct Session {
    shared: Shared,
    is_protected: bool,
    token: Token,
    /// As `Who am I?` tells it.
    name: String,
    sets: ResultSets,
}

/// What becomes of the connection after a request.
enum Next {
    Goes,
    Closes,
    StartsTls,
}

impl Session {
    fn new(shared: Shared, is_protected: bool) -> Self {
        Self {
            shared,
            is_protected,
            token: Token::default(),
            name: String::new(),
            sets: ResultSets::default(),
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut stream: S) -> Ended<S> {
        let mut buffer = Vec::new();
        loop {
            let length = match ber::length(&buffer) {
                Ok(length) => length,
                Err(ber::Malformed) => return Ended::Closed,
            };
            if length.is_some_and(|length| length > LONGEST) {
                return Ended::Closed;
            }
            let Some(length) = length.filter(|length| buffer.len() >= *length) else {
                match stream.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => return Ended::Closed,
                    Ok(_) => continue,
                }
            };
            let rest = buffer.split_off(length);
            let message = message::read(&buffer);
            buffer = rest;
            let next = match message {
                Ok(message) => self.answer(&mut stream, message).await,
                Err(ber::Malformed) => {
                    let mut out = Writer::default();
                    let outcome = Outcome::new(
                        code::PROTOCOL_ERROR,
                        "00000057: LdapErr: DSID-0C0C0095, comment: Error decoding ldap message, data 0, v2580",
                    );
                    message::end(&mut out, 0, answer::EXTENDED, &outcome, None, &[]);
                    drop(stream.write_all(&out.0).await);
                    Ok(Next::Closes)
                }
            };
            match next {
                Ok(Next::Goes) => {}
                Ok(Next::StartsTls) => return Ended::StartTls(stream),
                Ok(Next::Closes) | Err(_) => return Ended::Closed,
            }
        }
    }

    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        message: Message,
    ) -> std::io::Result<Next> {
        let fault = self.shared.faults.strikes(&message.request);
        let tag = tag_of(&message.request);
        match fault {
            Some(Fault::Drop) => return Ok(Next::Closes),
            Some(Fault::Garble) => {
                stream
                    .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    .await?;
                return Ok(Next::Closes);
            }
            Some(Fault::Refuse(code)) => {
                let mut out = Writer::default();
                let outcome = Outcome::new(code, "a fault of the script");
                message::end(
                    &mut out,
                    message.id,
                    tag.unwrap_or(answer::EXTENDED),
                    &outcome,
                    None,
                    &[],
                );
                stream.write_all(&out.0).await?;
                return Ok(Next::Goes);
            }
            Some(Fault::Delay(by)) => tokio::time::sleep(by).await,
            Some(Fault::DropAfter | Fault::CutAfter(_) | Fault::RefuseAfter(..)) | None => {}
        }
        let drops = fault == Some(Fault::DropAfter);
        let id = message.id;
        let mut out = Writer::default();
        let mut next = Next::Goes;
        match message.request {
            Request::Unbind => return Ok(Next::Closes),
            Request::Abandon => return Ok(Next::Goes),
            Request::Search(search) => {
                let found = self.search(&search, &message.controls);
                return send(stream, id, found, fault).await;
            }
            Request::Bind { name, password } => {
                let outcome = self.bind(&name, &password);
                message::end(&mut out, id, answer::BIND, &outcome, None, &[]);
            }
            Request::Extended { oid } if oid == WHO_AM_I => {
                let outcome = Outcome::success();
                let name = self.name.clone();
                let extra = Some(("", name.as_bytes()));
                message::end(&mut out, id, answer::EXTENDED, &outcome, extra, &[]);
            }
            Request::Extended { oid } if oid == START_TLS && !self.is_protected => {
                let outcome = Outcome::success();
                message::end(
                    &mut out,
                    id,
                    answer::EXTENDED,
                    &outcome,
                    Some((START_TLS, b"")),
                    &[],
                );
                next = Next::StartsTls;
            }
            Request::Extended { .. } => {
                let outcome = Outcome::new(
                    code::PROTOCOL_ERROR,
                    "0000203D: LdapErr: DSID-0C090E6B, comment: Unknown extended request OID, data 0, v2580",
                );
                message::end(&mut out, id, answer::EXTENDED, &outcome, None, &[]);
            }
            request @ (Request::Modify { .. }
            | Request::Add { .. }
            | Request::Delete { .. }
            | Request::ModifyDn { .. }
            | Request::Compare) => {
                let outcome = self.change(&request, &message.controls);
                let outcome = outcome.err().unwrap_or_else(Outcome::success);
                message::end(
                    &mut out,
                    id,
                    tag.unwrap_or(answer::EXTENDED),
                    &outcome,
                    None,
                    &[],
                );
            }
        }
        if drops {
            return Ok(Next::Closes);
        }
        stream.write_all(&out.0).await?;
        stream.flush().await?;
        Ok(next)
    }

    fn search(&mut self, search: &message::Search, controls: &[message::Control]) -> Answer {
        let replica = self
            .shared
            .replica
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match Options::read(controls) {
            Ok(options) => replica.search(search, &options, &self.token, &mut self.sets),
            Err(outcome) => Answer::refused(outcome),
        }
    }

    fn bind(&mut self, name: &str, password: &Password) -> Outcome {
        // Whoever was logged on is not any more, whatever comes of it.
        self.token = Token::default();
        self.name.clear();
        let Password::Simple(password) = password else {
            return Outcome::new(
                code::AUTH_METHOD_NOT_SUPPORTED,
                "00002027: LdapErr: DSID-0C090676, comment: only simple binds are simulated, data 0, v2580",
            );
        };
        // Anonymous: by no name, or, as RFC 4513 has it, by a name and no password.
        if name.is_empty() || password.is_empty() {
            return Outcome::success();
        }
        if !self.is_protected {
            return Outcome::new(
                code::STRONGER_AUTH_REQUIRED,
                "00002028: LdapErr: DSID-0C090276, comment: The server requires binds to turn on integrity checking if SSL\\TLS are not already active on the connection, data 0, v2580",
            );
        }
        let mut replica = self
            .shared
            .replica
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match replica.logon(name, password) {
            Ok(logged_on) => {
                self.name = format!(
                    "u:{}\\{}",
                    replica.domain.netbios_name, logged_on.logon_name
                );
                self.token = logged_on.token;
                Outcome::success()
            }
            Err(outcome) => outcome,
        }
    }

    fn change(&self, request: &Request, controls: &[message::Control]) -> Result<(), Outcome> {
        if self.token.is_anonymous() {
            return Err(Outcome::bind_first());
        }
        let options = Options::read(controls)?;
        let on = On::Caller(&self.token);
        let mut replica = self
            .shared
            .replica
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let head = replica
            .head(crate::store::object::Partition::Domain)
            .map(|head| replica.dn(head))
            .unwrap_or_default();
        let target = |replica: &Replica, dn: &str| {
            replica
                .find(dn)
                .filter(|id| !replica.object(*id).is_deleted || options.shows_deleted)
                .filter(|id| replica.is_visible(*id, &self.token))
                .ok_or_else(|| Outcome::no_such_object(&head))
        };
        match request {
            Request::Modify { dn, changes } => {
                let id = target(&replica, dn)?;
                if let Some(new) = restored(changes) {
                    return replica.restore(on, id, &new);
                }
                if replica.object(id).is_deleted {
                    return Err(Outcome::unwilling(0x2015));
                }
                replica.modify(on, id, changes, self.is_protected)
            }
            Request::Add { dn, attributes } => replica
                .add(on, dn, attributes, self.is_protected)
                .map(|_| ()),
            Request::Delete { dn } => {
                let id = target(&replica, dn)?;
                replica.delete(on, id)
            }
            Request::ModifyDn { dn, rdn, superior } => {
                let id = target(&replica, dn)?;
                replica.rename(on, id, rdn, superior.as_deref())
            }
            Request::Compare
            | Request::Bind { .. }
            | Request::Unbind
            | Request::Search(_)
            | Request::Abandon
            | Request::Extended { .. } => Err(Outcome::unwilling(0x57)),
        }
    }
}

/// A request to bring an object back has this shape, and no other ([MS-ADTS] 3.1.1.5.3.7).
fn restored(changes: &[message::Change]) -> Option<String> {
    let revives = changes.iter().any(|change| {
        change.attribute.eq_ignore_ascii_case("isDeleted") && change.verb == message::Verb::Delete
    });
    let named = changes.iter().find(|change| {
        change.attribute.eq_ignore_ascii_case("distinguishedName")
            && change.verb == message::Verb::Replace
    })?;
    let name = String::from_utf8(named.values.first()?.clone()).ok()?;
    revives.then_some(name)
}

fn tag_of(request: &Request) -> Option<u8> {
    Some(match request {
        Request::Bind { .. } => answer::BIND,
        Request::Search(_) => answer::DONE,
        Request::Modify { .. } => answer::MODIFY,
        Request::Add { .. } => answer::ADD,
        Request::Delete { .. } => answer::DELETE,
        Request::ModifyDn { .. } => answer::MODIFY_DN,
        Request::Compare => answer::COMPARE,
        Request::Extended { .. } => answer::EXTENDED,
        Request::Unbind | Request::Abandon => return None,
    })
}

async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    id: i64,
    found: Answer,
    fault: Option<Fault>,
) -> std::io::Result<Next> {
    let (entries, outcome) = match fault {
        Some(Fault::CutAfter(entries)) => (Some(entries), None),
        Some(Fault::RefuseAfter(entries, code)) => (
            Some(entries),
            Some(Outcome::new(code, "a fault of the script")),
        ),
        _ => (None, None),
    };
    let mut out = Writer::default();
    for (dn, attributes) in found.entries.iter().take(entries.unwrap_or(usize::MAX)) {
        message::entry(&mut out, id, dn, attributes);
        if out.0.len() >= BATCH {
            stream.write_all(&out.0).await?;
            out.0.clear();
        }
    }
    if entries.is_some() && outcome.is_none() {
        stream.write_all(&out.0).await?;
        stream.flush().await?;
        return Ok(Next::Closes);
    }
    for url in &found.references {
        message::reference(&mut out, id, url);
    }
    if fault == Some(Fault::DropAfter) {
        return Ok(Next::Closes);
    }
    let (outcome, controls) = match outcome {
        Some(outcome) => (outcome, Vec::new()),
        None => (found.outcome, found.controls),
    };
    message::end(&mut out, id, answer::DONE, &outcome, None, &controls);
    stream.write_all(&out.0).await?;
    stream.flush().await?;
    Ok(Next::Goes)
}
