//! Which directory, and which domain controller, a session speaks to.

use directory::{ObjectId, Sid};
use jiff::Timestamp;
use ldap3::Scope;
use uuid::Uuid;

use crate::dn::Dn;
use crate::error::Error;
use crate::filter;
use crate::object::Object;
use crate::session::{Query, Session};
use crate::time;

const WHAT: &str = "read the directory's identity";

/// The directory, pinned at its first success, and the domain controller that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub domain_guid: ObjectId,
    pub domain_sid: Sid,
    /// `corp.example.com`, from the naming context.
    pub dns_domain: String,
    /// `CORP`; absent when the bind account may not read the Partitions container.
    pub netbios_name: Option<String>,
    /// `DC=corp,DC=example,DC=com`
    pub naming_context: String,
    pub configuration_dn: String,
    pub schema_dn: String,
    /// Suffixes the forest holds for user principal names, beside its DNS domain.
    pub upn_suffixes: Vec<String>,
    /// DNS host name of the domain controller.
    pub domain_controller: String,
    /// Its database's instance: new after a restore.
    pub invocation: Uuid,
    /// Its highest committed update sequence number, before anything else was read.
    pub highest_usn: u64,
    /// Its clock.
    pub current_time: Timestamp,
}

impl Identity {
    /// Whether both are of the same directory, whichever domain controller answered.
    pub fn is_same_directory(&self, other: &Self) -> bool {
        self.domain_guid == other.domain_guid && self.domain_sid == other.domain_sid
    }
}

/// What the rootDSE says, without which there is no identity.
struct RootDse {
    naming_context: String,
    configuration_dn: String,
    schema_dn: String,
    domain_controller: String,
    service_dn: String,
    highest_usn: u64,
    current_time: Timestamp,
}

impl Session {
    /// Reads who answers here. The update sequence number is read first.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let root = self.root_dse().await?;
        let domain = self
            .object(
                WHAT,
                &root.naming_context,
                &["objectGUID", "objectSid"],
                vec![],
            )
            .await?
            .ok_or_else(|| missing("the domain object"))?;
        let domain_guid = domain
            .bytes("objectGUID")
            .and_then(|bytes| ObjectId::from_guid_bytes(bytes).ok())
            .ok_or_else(|| missing("objectGUID of the domain"))?;
        let domain_sid = domain
            .bytes("objectSid")
            .and_then(|bytes| Sid::from_bytes(bytes).ok())
            .ok_or_else(|| missing("objectSid of the domain"))?;
        let dns_domain = Dn::parse(&root.naming_context)
            .ok()
            .and_then(|dn| dn.dns_domain())
            .ok_or_else(|| missing("a DNS domain in the naming context"))?;
        let invocation = self.invocation(&root.service_dn).await?;
        let partitions = format!("CN=Partitions,{}", root.configuration_dn);
        Ok(Identity {
            domain_guid,
            domain_sid,
            dns_domain,
            netbios_name: self.netbios_name(&partitions, &root.naming_context).await?,
            upn_suffixes: self
                .object(WHAT, &partitions, &["uPNSuffixes"], vec![])
                .await?
                .map(|object| object.texts("uPNSuffixes").map(str::to_owned).collect())
                .unwrap_or_default(),
            naming_context: root.naming_context,
            configuration_dn: root.configuration_dn,
            schema_dn: root.schema_dn,
            domain_controller: root.domain_controller,
            invocation,
            highest_usn: root.highest_usn,
            current_time: root.current_time,
        })
    }

    /// The domain controller's clock.
    pub(crate) async fn current_time(&self) -> Result<Timestamp, Error> {
        Ok(self.root_dse().await?.current_time)
    }

    /// The DNS host name of the domain controller that holds the role of PDC emulator: password changes reach it first.
    /// As it was a minute ago at most.
    pub async fn pdc_emulator(&self, identity: &Identity) -> Result<Option<String>, Error> {
        let asked = self.find_pdc_emulator(identity);
        self.memos().pdc_emulator.get("", asked).await
    }

    async fn find_pdc_emulator(&self, identity: &Identity) -> Result<Option<String>, Error> {
        const WHAT: &str = "find the PDC emulator";
        let domain = self
            .object(WHAT, &identity.naming_context, &["fSMORoleOwner"], vec![])
            .await?;
        // The role is held by a domain controller's settings object, whose parent names the controller.
        let Some((_, server)) = domain
            .as_ref()
            .and_then(|domain| domain.text("fSMORoleOwner")?.split_once(','))
        else {
            return Ok(None);
        };
        let server = self.object(WHAT, server, &["dNSHostName"], vec![]).await?;
        Ok(server.and_then(|server| server.text("dNSHostName").map(str::to_owned)))
    }

    /// The database instance that answers now, to compare with the one that answered at the beginning.
    pub(crate) async fn current_invocation(&self) -> Result<Uuid, Error> {
        let root = self.root_dse().await?;
        self.invocation(&root.service_dn).await
    }

    async fn root_dse(&self) -> Result<RootDse, Error> {
        let object = self
            .object(
                WHAT,
                "",
                &[
                    "defaultNamingContext",
                    "configurationNamingContext",
                    "schemaNamingContext",
                    "dnsHostName",
                    "dsServiceName",
                    "highestCommittedUSN",
                    "currentTime",
                ],
                vec![],
            )
            .await?
            .ok_or_else(|| missing("the rootDSE"))?;
        let text = |name: &'static str| text(&object, name);
        Ok(RootDse {
            naming_context: text("defaultNamingContext")?,
            configuration_dn: text("configurationNamingContext")?,
            schema_dn: text("schemaNamingContext")?,
            domain_controller: text("dnsHostName")?,
            service_dn: text("dsServiceName")?,
            highest_usn: text("highestCommittedUSN")?
                .parse()
                .map_err(|_| missing("a number in highestCommittedUSN"))?,
            current_time: time::generalized(&text("currentTime")?)
                .ok_or_else(|| missing("a time in currentTime"))?,
        })
    }

    async fn invocation(&self, service_dn: &str) -> Result<Uuid, Error> {
        self.object(WHAT, service_dn, &["invocationId"], vec![])
            .await?
            .as_ref()
            .and_then(|object| Uuid::from_slice_le(object.bytes("invocationId")?).ok())
            .ok_or_else(|| missing("invocationId of the domain controller"))
    }

    async fn netbios_name(
        &self,
        partitions: &str,
        naming_context: &str,
    ) -> Result<Option<String>, Error> {
        let filter = format!(
            "(&(objectClass=crossRef)(nCName={}))",
            filter::escape(naming_context)
        );
        let query = Query {
            what: WHAT,
            base: partitions,
            scope: Scope::OneLevel,
            filter: &filter,
            attributes: &["nETBIOSName"],
            controls: vec![],
        };
        match self.search(query).await {
            Ok(answer) => Ok(answer
                .objects
                .iter()
                .find_map(|object| object.text("nETBIOSName"))
                .map(str::to_owned)),
            Err(Error::NoSuchObject { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn text(object: &Object, name: &'static str) -> Result<String, Error> {
    object
        .text(name)
        .map(str::to_owned)
        .ok_or_else(|| missing(name))
}

fn missing(what: &str) -> Error {
    Error::Incomplete {
        what: WHAT,
        why: format!("the directory did not give {what}"),
    }
}
