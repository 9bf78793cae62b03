#![doc = include_str!("../README.md")]

mod explain;
mod password;
mod plan;
mod program;
mod settings;
mod source;
mod test;

use ad_client::Session;
use api::config::v1 as config;
use api::directory::v1 as proto;
use connector::{Credentials, Directory, Failure, Opened};
use directory::DirectoryKind;
use futures::stream::BoxStream;
use runtime::{Service, SharedClock};
use secrecy::SecretString;

pub use connector::{Deps, MIGRATIONS};
pub use program::Program;
pub use settings::{DEFAULTS, Settings};

/// The service's name: in access rules, metrics and logs.
pub const NAME: &str = "ad-connector";

/// The service as a value; it runs when its host starts it.
pub fn build(settings: Settings, deps: Deps) -> Service {
    let directory = ActiveDirectory {
        settings: settings.directory,
        clock: deps.clock.clone(),
        sessions: password::Sessions::default(),
    };
    connector::build(NAME, settings.sync, deps, directory)
}

/// Opens Active Directory domains.
struct ActiveDirectory {
    settings: settings::Directory,
    clock: SharedClock,
    sessions: password::Sessions,
}

impl Directory for ActiveDirectory {
    type Source = source::AdSource;

    fn kind(&self) -> DirectoryKind {
        DirectoryKind::ActiveDirectory
    }

    async fn open(
        &self,
        domain: &config::Domain,
        credentials: &Credentials,
    ) -> Result<Opened<Self::Source>, Failure> {
        let wanted = plan::of(domain, &self.settings)?;
        let connector = ad_client::Connector::new(&wanted.target).map_err(explain::target)?;
        let logon = plan::logon(credentials, &wanted.dns_domain)?;
        let session: Session = connector.connect(&logon).await.map_err(explain::error)?;
        let identity = session.identity().await.map_err(explain::error)?;
        let server = session.server();
        Ok(Opened {
            server: format!("{}:{}", server.host(), server.port()),
            identity: source::shown(&identity),
            source: source::AdSource::new(session, identity, wanted.scope),
        })
    }

    fn test(
        &self,
        domain: config::Domain,
        credentials: Option<Credentials>,
    ) -> BoxStream<'static, proto::Check> {
        test::checks(&domain, credentials, &self.settings, self.clock.now())
    }
}

/// An ordinary secret that stands in where none is given: what needs no logon is tested, the logon itself is refused.
fn no_secret() -> SecretString {
    SecretString::from(String::new())
}
