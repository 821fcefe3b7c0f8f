//! Clocks, all from a crystal of 25 MHz at OSC_IN and OSC_OUT (RM0433 §8.5): 400 MHz for the core, 200 MHz for its buses, 8.192 MHz
//! for the PCM highway, which FAX machines want within 100 ppm.

use embassy_stm32::rcc::*;
use embassy_stm32::time::Hertz;

/// The crystal.
const CRYSTAL: Hertz = Hertz(25_000_000);

/// A box without its crystal does not start.
pub fn config() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    config.rcc.hse = Some(Hse {
        freq: CRYSTAL,
        mode: HseMode::Oscillator,
    });
    // The RNG's clock.
    config.rcc.hsi48 = Some(Hsi48Config::default());
    // 25 MHz / 5 · 160 / 2 = 400 MHz.
    config.rcc.pll1 = Some(Pll {
        source: PllSource::HSE,
        prediv: PllPreDiv::DIV5,
        mul: PllMul::MUL160,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    // 25 MHz / 3 · 58 / 59 = 8.19209 MHz: 11 ppm too fast.
    config.rcc.pll2 = Some(Pll {
        source: PllSource::HSE,
        prediv: PllPreDiv::DIV3,
        mul: PllMul::MUL58,
        divp: Some(PllDiv::DIV59),
        divq: None,
        divr: None,
    });
    config.rcc.mux.sai1sel = mux::Saisel::PLL2_P;
    config.rcc.sys = Sysclk::PLL1_P;
    config.rcc.ahb_pre = AHBPrescaler::DIV2;
    config.rcc.apb1_pre = APBPrescaler::DIV2;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.apb3_pre = APBPrescaler::DIV2;
    config.rcc.apb4_pre = APBPrescaler::DIV2;
    config.rcc.voltage_scale = VoltageScale::Scale1;
    config
}
