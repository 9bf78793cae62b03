//! Puts the services together: the same `build` that each service has when it runs alone, with other dependencies.
//!
//! Services reach one another through this process's own server. Who calls is set here, once for each channel, and
//! can't be changed by anything a call carries.

use std::sync::Arc;

use events::{Bus, embedded::EmbeddedBus};
use runtime::{
    Caller, Channel, Ids, Service, SharedClock, Tasks,
    grpc::{InProcess, channel},
};
use sealing::{FileKeyProvider, Sealer};
use storage::{Database, Migrations};

use super::{data_dir::DataDir, settings::Settings};
use crate::failure::Failure;

const BUS: &str = "bus.db";

/// One process has the data directory, so that its leases are its own again after a restart.
const INSTANCE: &str = "hes-up";

/// What every service stands on in this process.
pub(super) struct Wiring<'a> {
    pub(super) dir: &'a DataDir,
    pub(super) way: InProcess,
    pub(super) clock: SharedClock,
    pub(super) ids: Ids,
    pub(super) tasks: Tasks,
    pub(super) keys: FileKeyProvider,
}

/// What must be closed after the services have ended.
pub(super) struct Closing {
    databases: Vec<Database>,
    bus: EmbeddedBus,
}

/// Whether nothing has ever been stored in this directory.
pub(super) fn is_first_start(dir: &DataDir) -> bool {
    !dir.file(&database_file(config_service::NAME)).exists()
}

impl Wiring<'_> {
    pub(super) async fn services(
        self,
        settings: &Settings,
    ) -> Result<(Vec<Service>, Closing), Failure> {
        let config_database = self
            .database(config_service::NAME, &config_service::MIGRATIONS)
            .await?;
        let ad_database = self
            .database(ad_connector::NAME, &ad_connector::MIGRATIONS)
            .await?;
        let rotation_database = self
            .database(rotation_scheduler::NAME, &rotation_scheduler::MIGRATIONS)
            .await?;
        let bus = self.bus().await?;
        let shared_bus: Arc<dyn Bus> = Arc::new(bus.clone());
        let as_config = self.channel_as(config_service::NAME)?;
        let as_ad = self.channel_as(ad_connector::NAME)?;
        let as_rotation = self.channel_as(rotation_scheduler::NAME)?;
        let sealer = Sealer::new(Arc::new(self.keys));

        let config = config_service::build(
            settings.config_service.clone(),
            config_service::Deps {
                instance: INSTANCE.to_owned(),
                db: config_database.clone(),
                bus: Arc::clone(&shared_bus),
                clock: self.clock.clone(),
                ids: self.ids.clone(),
                sealer: sealer.clone(),
                rotation: Some(as_config.clone()),
                connectors: config_service::Connectors {
                    active_directory: Some(as_config),
                    entra_id: None,
                },
            },
        );
        let rotation = rotation_scheduler::build(
            settings.rotation_scheduler.clone(),
            rotation_scheduler::Deps {
                db: rotation_database.clone(),
                bus: Arc::clone(&shared_bus),
                config: as_rotation.clone(),
                clock: self.clock.clone(),
                ids: self.ids.clone(),
                tasks: self.tasks.clone(),
                sealer,
                connectors: rotation_scheduler::Connectors {
                    active_directory: Some(as_rotation),
                    entra_id: None,
                },
                instance: INSTANCE.to_owned(),
            },
        );
        let ad = ad_connector::build(
            settings.ad_connector.clone(),
            ad_connector::Deps {
                database: ad_database.clone(),
                bus: shared_bus,
                config: as_ad,
                clock: self.clock,
                ids: self.ids,
                tasks: self.tasks,
                // One process a data directory: it is always the same one.
                instance: INSTANCE.to_owned(),
            },
        );
        let closing = Closing {
            databases: vec![config_database, ad_database, rotation_database],
            bus,
        };
        Ok((vec![config, ad, rotation], closing))
    }

    async fn database(&self, service: &str, migrations: &Migrations) -> Result<Database, Failure> {
        let path = self.dir.file(&database_file(service));
        Database::open_migrated(&storage::Settings::at(path), migrations)
            .await
            .map_err(|error| {
                Failure::new(format!("could not open the database of {service}")).caused_by(&error)
            })
    }

    async fn bus(&self) -> Result<EmbeddedBus, Failure> {
        let clock = self.clock.clone();
        EmbeddedBus::open(&self.dir.file(BUS), Arc::new(move || clock.now()))
            .await
            .map_err(|error| Failure::new("could not open the event bus").caused_by(&error))
    }

    fn channel_as(&self, service: &str) -> Result<Channel, Failure> {
        let identity = Caller::service(service)
            .map_err(|error| Failure::new("could not start").caused_by(&error))?;
        Ok(channel::in_process(&self.way, identity))
    }
}

impl Closing {
    /// Leaves the files whole, without a log beside them. What a crash leaves is as good: the log is read again.
    pub(super) async fn close(self) {
        for database in self.databases {
            database.close().await;
        }
        self.bus.close().await;
    }
}

fn database_file(service: &str) -> String {
    format!("{service}.db")
}
