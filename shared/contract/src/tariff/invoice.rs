//! Invoices (適格請求書) and forecasts of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shared::{ContractId, Date};

use super::{Call, Error, Line, Month, PriceList, Tax, TooLarge, Yen, lines};
use crate::model::Contract;

/// The registration number of the issuer of invoices (登録番号): `T` and the 13 digits of a company's number
/// (法人番号), the first of which checks the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistrationNumber(u64);

/// A text is no registration number of a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationNumberError {
    /// Not T and 13 digits.
    Form,
    /// The check digit is another one.
    CheckDigit,
}

impl fmt::Display for RegistrationNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "a registration number is T and 13 digits",
            Self::CheckDigit => "the first digit of the registration number does not fit the others",
        })
    }
}

impl std::error::Error for RegistrationNumberError {}

impl FromStr for RegistrationNumber {
    type Err = RegistrationNumberError;

    fn from_str(text: &str) -> Result<Self, RegistrationNumberError> {
        let digits = text
            .strip_prefix('T')
            .filter(|digits| digits.len() == 13 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or(RegistrationNumberError::Form)?;
        let number: u64 = digits.parse().map_err(|_| RegistrationNumberError::Form)?;
        // 9 less the remainder by 9 of the sum, from the right, of once and twice each of the twelve digits in turn
        // (法人番号の指定等に関する省令 2条).
        let (mut rest, mut sum) = (number, 0);
        for place in 0..12 {
            sum += rest % 10 * (1 + place % 2);
            rest /= 10;
        }
        if rest == 9 - sum % 9 {
            Ok(Self(number))
        } else {
            Err(RegistrationNumberError::CheckDigit)
        }
    }
}

impl fmt::Display for RegistrationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{:013}", self.0)
    }
}

impl fmt::Debug for RegistrationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for RegistrationNumber {
    type Error = RegistrationNumberError;

    fn try_from(text: String) -> Result<Self, RegistrationNumberError> {
        text.parse()
    }
}

impl From<RegistrationNumber> for String {
    fn from(number: RegistrationNumber) -> Self {
        number.to_string()
    }
}

/// The lines at one rate and the tax on their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxSum {
    /// How they are taxed.
    pub tax: Tax,
    /// The rate in percent.
    pub percent: u8,
    /// Their sum, without tax.
    pub net: Yen,
    /// The tax on the sum, rounded once ([`Tax::on`]).
    pub amount: Yen,
}

/// What a contract owes for a month. Schema 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    schema: u16,
    /// The contract.
    pub contract: ContractId,
    /// Name of the customer.
    pub customer: String,
    /// The issuer.
    pub registration: RegistrationNumber,
    /// The month it is for.
    pub month: Month,
    /// The month is not over: what is owed if nothing else happens.
    pub forecast: bool,
    /// The lines, grouped by number and device, without tax.
    pub lines: Vec<Line>,
    /// The sums, one for each way of taxation that occurs.
    pub taxes: Vec<TaxSum>,
    /// What is to be paid, with tax.
    pub total: Yen,
}

/// Why a text is no invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvoiceError {
    /// Not JSON, or not with these fields; in the words of the reader.
    Syntax(String),
    /// A schema this version does not know.
    Schema(u16),
    /// The lines do not add up to the sums and the total.
    Sums,
}

impl fmt::Display for InvoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => f.write_str(error),
            Self::Schema(schema) => write!(f, "schema {schema} is not known"),
            Self::Sums => f.write_str("the lines do not add up"),
        }
    }
}

impl std::error::Error for InvoiceError {}

/// The invoice of a contract for a month with its calls; a forecast if the month is not over today.
pub fn invoice(
    contract: &Contract,
    month: Month,
    calls: &[Call],
    prices: &PriceList,
    registration: RegistrationNumber,
    today: Date,
) -> Result<Invoice, Error> {
    let lines = lines(contract, month, calls, prices)?;
    let (taxes, total) = sums(&lines, month)?;
    Ok(Invoice {
        schema: Invoice::SCHEMA,
        contract: contract.id,
        customer: contract.name.clone(),
        registration,
        month,
        forecast: today < month.end(),
        lines,
        taxes,
        total,
    })
}

/// The sums of the lines and the total with tax. All of a month is taxed at its rate: rates change with a month.
fn sums(lines: &[Line], month: Month) -> Result<(Vec<TaxSum>, Yen), TooLarge> {
    let mut taxes = Vec::new();
    let mut total = Yen::ZERO;
    for tax in [Tax::Standard, Tax::Outside] {
        if !lines.iter().any(|line| line.tax == tax) {
            continue;
        }
        let net = Yen::sum(
            lines
                .iter()
                .filter(|line| line.tax == tax)
                .map(|line| line.amount),
        )?;
        let (percent, amount) = (tax.rate(month.first()), tax.on(net, month.first())?);
        total = total.plus(net)?.plus(amount)?;
        taxes.push(TaxSum {
            tax,
            percent,
            net,
            amount,
        });
    }
    Ok((taxes, total))
}

impl Invoice {
    /// The schema written.
    pub const SCHEMA: u16 = 1;

    /// Reads an invoice and adds it up again.
    pub fn from_json(text: &str) -> Result<Self, InvoiceError> {
        let syntax = |error: serde_json::Error| InvoiceError::Syntax(error.to_string());
        match super::schema(text).map_err(syntax)? {
            Self::SCHEMA => {}
            other => return Err(InvoiceError::Schema(other)),
        }
        let invoice: Self = serde_json::from_str(text).map_err(syntax)?;
        match sums(&invoice.lines, invoice.month) {
            Ok((taxes, total)) if taxes == invoice.taxes && total == invoice.total => Ok(invoice),
            _ => Err(InvoiceError::Sums),
        }
    }

    /// The invoice as text, which reads back as the same invoice.
    pub fn to_json(&self) -> String {
        // Fails for maps with keys that are not text and for values that refuse; there are none.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
