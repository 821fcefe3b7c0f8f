//! rmqtt 0.24 inside the process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType, Type};
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;
use rmqtt::session::Session;
use rmqtt::types::{AuthResult, ConnectInfo, PublishAclResult, SubscribeAclResult};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{BrokerUrl, MAX_PACKET, SERVER_USER, acl};

/// Listener of the boxes.
const BOXES: u16 = 1;
/// Listener of the server itself, on loopback: its account cannot be tried from outside.
const OWN: u16 = 2;

/// Who may log in as a box.
#[async_trait]
pub trait BoxGate: Send + Sync + 'static {
    /// Whether `password` is the one of the box `id`.
    async fn admits(&self, id: &str, password: &str) -> bool;
}

/// A box's MQTT connection came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The box id, as text.
    pub id: String,
    /// Which connection: a later one of the same box has a greater number.
    pub connection: i64,
    /// Came, or went.
    pub online: bool,
}

/// The running broker; it ends when this is dropped.
pub struct Embedded {
    addr: SocketAddr,
    own: BrokerUrl,
    task: JoinHandle<()>,
}

impl Embedded {
    /// Listens on `listen` for boxes and on loopback for the server itself. `presence` hears of every connection.
    pub async fn start(
        listen: SocketAddr,
        gate: Arc<dyn BoxGate>,
        presence: mpsc::UnboundedSender<Presence>,
    ) -> anyhow::Result<Self> {
        let password = format!("{:032x}", rand::random::<u128>());
        // A shared machine under load is no reason to turn boxes away: the limits below bound the work.
        let context = ServerContext::new().busy_check_enable(false).build().await;
        let hook = Hook {
            gate,
            presence,
            password: password.clone(),
        };
        let register = context.extends.hook_mgr().register();
        for event in [
            Type::ClientAuthenticate,
            Type::ClientSubscribeCheckAcl,
            Type::MessagePublishCheckAcl,
            Type::ClientConnected,
            Type::ClientDisconnected,
        ] {
            register.add(event, Box::new(hook.clone())).await;
        }
        register.start().await;

        let boxes = base("boxes", listen)
            .max_packet_size(MAX_PACKET)
            .max_mqueue_len(256)
            .max_subscriptions(4)
            .max_topic_levels(8)
            .bind()?
            .tcp()?;
        let loopback = (Ipv4Addr::LOCALHOST, 0).into();
        let own = base("server", loopback)
            .max_packet_size(64 * 1024)
            .max_mqueue_len(20_000)
            .bind()?
            .tcp()?;
        let addr = boxes.local_addr()?;
        let own_addr = own.local_addr()?;
        let server = MqttServer::new(context)
            .listener_by_id(boxes, BOXES)
            .listener_by_id(own, OWN)
            .build();
        let task = tokio::spawn(async move {
            if let Err(error) = server.run().await {
                warn!(%error, "broker ended");
            }
        });
        let own = BrokerUrl {
            host: own_addr.ip().to_string(),
            port: own_addr.port(),
            user: SERVER_USER.into(),
            password,
        };
        Ok(Self { addr, own, task })
    }

    /// Where boxes connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where and how the server's own client connects.
    pub fn own(&self) -> &BrokerUrl {
        &self.own
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn base(name: &str, listen: SocketAddr) -> Builder {
    Builder::new()
        .name(name)
        .laddr(listen)
        .nodelay(true)
        .reuseaddr(Some(true))
        .allow_anonymous(false)
        .handshake_timeout(Duration::from_secs(10))
        .max_clientid_len(64)
        .session_expiry_interval(Duration::ZERO)
        .max_session_expiry_interval(Duration::from_secs(1))
}

#[derive(Clone)]
struct Hook {
    gate: Arc<dyn BoxGate>,
    presence: mpsc::UnboundedSender<Presence>,
    password: String,
}

impl Hook {
    async fn authenticate(&self, info: &ConnectInfo) -> AuthResult {
        let id = info.id();
        let user = info.username().map_or("", |user| user.as_ref());
        let password = info
            .password()
            .and_then(|password| std::str::from_utf8(password).ok())
            .unwrap_or("");
        let admitted = match id.lid {
            OWN => user == SERVER_USER && password == self.password,
            // One identity: nobody takes over another's session by choosing its client id.
            _ => user == &*id.client_id && self.gate.admits(user, password).await,
        };
        if admitted {
            AuthResult::Allow(false, None)
        } else {
            warn!(user, client = %id.client_id, from = ?id.remote_addr, "broker login refused");
            AuthResult::BadUsernameOrPassword
        }
    }

    fn announce(&self, session: &Session, online: bool) {
        if session.id.lid == BOXES {
            let id = session.id.client_id.to_string();
            // The receiver is gone only while the server stops.
            let _ = self.presence.send(Presence {
                id,
                connection: session.id.create_time,
                online,
            });
        }
    }
}

#[async_trait]
impl Handler for Hook {
    async fn hook(&self, param: &Parameter, acc: Option<HookResult>) -> ReturnType {
        match param {
            Parameter::ClientAuthenticate(info) => {
                (false, Some(HookResult::AuthResult(self.authenticate(info).await)))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                let own = session.id.lid == OWN;
                if own || acl::may_subscribe(&session.id.client_id, &subscribe.topic_filter) {
                    (true, acc)
                } else {
                    debug!(client = %session.id.client_id, filter = %subscribe.topic_filter, "subscription refused");
                    let refused = SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized);
                    (false, Some(HookResult::SubscribeAclResult(refused)))
                }
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                let own = session.id.lid == OWN;
                if own || (acl::may_publish(&session.id.client_id, &publish.topic) && !publish.retain) {
                    (
                        true,
                        Some(HookResult::PublishAclResult(PublishAclResult::allow())),
                    )
                } else {
                    debug!(client = %session.id.client_id, topic = %publish.topic, "publication refused");
                    (
                        false,
                        Some(HookResult::PublishAclResult(PublishAclResult::rejected(
                            false, None,
                        ))),
                    )
                }
            }
            Parameter::ClientConnected(session) => {
                self.announce(session, true);
                (true, acc)
            }
            Parameter::ClientDisconnected(session, _) => {
                self.announce(session, false);
                (true, acc)
            }
            _ => (true, acc),
        }
    }
}
