//! Steps of terminals: who uses an ID, and devices from the order to the return.

use contract::Command;
use contract::command::{Consent, NewDevice};
use contract::device::{Acquisition, Interface, Mac, Model};
use contract::effect::Effect;
use contract::model::Terminal;
use shared::analog::Port;
use shared::{IdKey, SiteId};

use crate::world::{Outcome, World, Wrong, device, same};

pub fn act(world: &mut World, words: &[&str]) -> Outcome {
    match words {
        ["device", number, "logs", "in", "to", name] => {
            let terminal = Terminal::Device(device(number)?);
            login(world, terminal, name, Consent::None)
        }
        [app, "logs", "in", "to", name] => login(world, Terminal::App((*app).into()), name, Consent::None),
        [app, "takes", "over", name] => login(world, Terminal::App((*app).into()), name, Consent::Takeover),
        [app, "takes", "over", name, "and", "cuts", "its", "call"] => {
            login(world, Terminal::App((*app).into()), name, Consent::CutCall)
        }
        [name, "logs", "out"] => {
            let key = world.id(name)?;
            let lease = world.contract.id(key).and_then(|id| id.lease.as_ref());
            let epoch = lease.ok_or("nobody uses it")?.epoch;
            world.command(Command::Logout { id: key, epoch })
        }

        ["box", "reports", app, "on", name, "since", "epoch", base] => {
            let (id, base) = (world.id(name)?, base.parse()?);
            let terminal = Terminal::App((*app).into());
            world.command(Command::Reconcile { id, terminal, base })
        }

        ["order", "HT802", "for", one, "and", other] => {
            let ports = vec![Some(world.id(one)?), Some(world.id(other)?)];
            place(
                world,
                Model::Ht802,
                ports,
                Acquisition::Rental,
                Interface::Analog,
                false,
            )
        }
        ["order", "hub"] => hub(world, Acquisition::Purchase),
        ["rent", "hub"] => hub(world, Acquisition::Rental),
        ["order", model, "for", name, "with", "own", "power"] => {
            let ports = vec![Some(world.id(name)?)];
            place(
                world,
                self::model(model)?,
                ports,
                Acquisition::Rental,
                Interface::Analog,
                true,
            )
        }
        ["order", model, "for", name] => order(world, model, name, Acquisition::Rental, Interface::Analog),
        ["rent", model, "for", name] => deliver(world, model, name, Acquisition::Rental),
        ["buy", model, "for", name] => deliver(world, model, name, Acquisition::Purchase),
        ["order", model, "for", name, "on", "a" | "an", interface, "line"] => {
            let interface = match *interface {
                "analog" => Interface::Analog,
                "ISDN" => Interface::Isdn,
                "digital" => Interface::Digital,
                "IP" => Interface::Ip,
                _ => return Err(Wrong::Unknown),
            };
            order(world, model, name, Acquisition::Rental, interface)
        }
        ["set", "up", "device", number, "as", mac] => {
            world.command(Command::ConfigureDevice(device(number)?, mac.parse()?))
        }
        ["ship", "device", number] => world.command(Command::ShipDevice(device(number)?)),
        [mac, "asks", "for", "its", "configuration"] => world.command(Command::DeviceOnline(mac.parse()?)),
        ["give", "device", number, "to", name] => {
            let key = world.id(name)?;
            world.command(Command::Bind(device(number)?, 0, Some(key)))
        }
        ["plug", name, "into", "port", number] => {
            let (key, number) = (world.id(name)?, number.parse().map_err(|_| Wrong::Unknown)?);
            let port = Port {
                number,
                number_display: false,
                fax: false,
            };
            world.command(Command::Plug(key, Some(port)))
        }
        ["unplug", name] => {
            let key = world.id(name)?;
            world.command(Command::Plug(key, None))
        }
        ["return", "device", number] => world.command(Command::ReturnDevice(device(number)?)),
        _ => Err(Wrong::Unknown),
    }
}

pub fn expect(world: &mut World, words: &[&str]) -> Outcome {
    match words {
        [name, "used", "by", terminal @ ..] => {
            let id = world.contract.id(world.id(name)?).ok_or("it is gone")?;
            let user = match id.lease.as_ref().map(|lease| &lease.terminal) {
                None => "nobody".to_owned(),
                Some(Terminal::App(app)) => app.clone(),
                Some(Terminal::Device(device)) => format!("device {}", device.0),
            };
            same(terminal.join(" "), user)
        }
        [app, "is", "told"] => {
            let told = world
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::SessionEnded(_, Terminal::App(name)) if name == app));
            match told {
                true => Ok(()),
                false => Err(Wrong::Is(format!("what follows is {:?}", world.effects))),
            }
        }
        ["device", number, "is", state] => {
            let device = world
                .contract
                .device(device(number)?)
                .ok_or("there is no such device")?;
            same(*state, device.state.name())
        }
        _ => Err(Wrong::Unknown),
    }
}

/// A model by the maker's name for it.
pub fn model(name: &str) -> Result<Model, Wrong> {
    match name {
        "GXP1628" => Ok(Model::Gxp1628),
        "KX-HDV230N" => Ok(Model::KxHdv230n),
        "HT801" => Ok(Model::Ht801),
        "HT802" => Ok(Model::Ht802),
        "hub" => Ok(Model::PoeHub),
        _ => Err(Wrong::Is(format!("there is no model {name}"))),
    }
}

fn login(world: &mut World, terminal: Terminal, name: &str, consent: Consent) -> Outcome {
    let id = world.id(name)?;
    world.command(Command::Login {
        id,
        terminal,
        consent,
    })
}

fn order(world: &mut World, name: &str, id: &str, acquisition: Acquisition, interface: Interface) -> Outcome {
    let id = world.id(id)?;
    place(world, model(name)?, vec![Some(id)], acquisition, interface, false)
}

fn hub(world: &mut World, acquisition: Acquisition) -> Outcome {
    place(
        world,
        Model::PoeHub,
        Vec::new(),
        acquisition,
        Interface::Analog,
        false,
    )
}

fn place(
    world: &mut World,
    model: Model,
    ports: Vec<Option<IdKey>>,
    acquisition: Acquisition,
    interface: Interface,
    own_power: bool,
) -> Outcome {
    world.command(Command::OrderDevice(NewDevice {
        model,
        acquisition,
        site: SiteId(1),
        ports,
        interface,
        own_power,
    }))
}

/// Ordered, set up and sent on one day; the office has power for it.
fn deliver(world: &mut World, name: &str, id: &str, acquisition: Acquisition) -> Outcome {
    let ports = vec![Some(world.id(id)?)];
    place(world, model(name)?, ports, acquisition, Interface::Analog, true)?;
    if world.refused.is_some() {
        return Ok(());
    }
    let device = world.contract.devices.last().ok_or("nothing was ordered")?.id;
    let mac = Mac([0x00, 0x0b, 0x82, 0, 1, device.0 as u8]);
    world.command(Command::ConfigureDevice(device, mac))?;
    world.command(Command::ShipDevice(device))
}
