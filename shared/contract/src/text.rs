//! The texts of refusals, Japanese and English side by side.

mod name;
mod order;
mod warning;

use shared::analog::PORTS;
use shared::hub;

use crate::model::Role;
use crate::refusal::{Obstacle, Refusal};

/// A language of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// 日本語.
    Ja,
    /// English.
    En,
}

/// What a person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What is wrong, without a full stop.
    pub what: String,
    /// What can be done next, as sentences.
    pub next: String,
}

/// Japanese and English: what is wrong, what to do.
type Pair = [String; 4];

fn pair(ja: impl Into<String>, ja_next: &str, en: impl Into<String>, en_next: &str) -> Pair {
    [ja.into(), ja_next.into(), en.into(), en_next.into()]
}

impl Refusal {
    /// Its text.
    pub fn text(&self, lang: Lang) -> Text {
        let [ja, ja_next, en, en_next] = self.pair();
        let (what, next) = match lang {
            Lang::Ja => (ja, ja_next),
            Lang::En => (en, en_next),
        };
        Text { what, next }
    }

    fn pair(&self) -> Pair {
        match self {
            Self::OperatorOnly => pair(
                "この操作は事業者のみが行えます",
                "サポートにご依頼ください。",
                "only the operator may do this",
                "Ask the operator.",
            ),
            Self::NothingToChange => pair(
                "変更する項目が指定されていません",
                "変更する項目を指定してください。",
                "nothing is named that shall change",
                "Name what changes, and to what.",
            ),
            Self::Ended(day) => pair(
                format!("この契約は{day}に終了しています"),
                "新しくご契約ください。",
                format!("the contract ended on {day}"),
                "Sign a new contract.",
            ),
            Self::Suspended(cause) => {
                let (ja, en) = name::cause(*cause);
                pair(
                    format!("この契約は{ja}停止中です"),
                    "停止が解除されてからお申し込みください。",
                    format!("the contract is suspended ({en})"),
                    "Wait until the suspension is lifted.",
                )
            }
            Self::SuspensionUnstated => pair(
                "停止の理由または依頼者が入力されていません",
                "理由と依頼者を入力してください。",
                "it is not stated why it shall be suspended, or who asked for it",
                "State both: the reference of the request or the bill, and whose it is.",
            ),
            Self::SuspensionLater(day) => pair(
                format!("停止日{day}は未来の日付です"),
                "停止は本日または過去の日付で、その日になってから登録してください。",
                format!("it shall be suspended since {day}, a day to come"),
                "Suspend it on that day: it holds from the moment it is ordered.",
            ),
            Self::NotSuspended(cause) => {
                let (ja, en) = name::cause(*cause);
                pair(
                    format!("{ja}停止はされていません"),
                    "現在の状態をご確認ください。",
                    format!("there is no such suspension ({en})"),
                    "See which suspensions there are.",
                )
            }
            Self::Label => pair(
                "名称は1～48バイト(漢字16文字まで)で、制御文字は使えません",
                "短い名称を入力してください。",
                "a name has 1 to 48 bytes (16 kanji) and no control characters",
                "Give a shorter name.",
            ),
            Self::OutsidePrefix(digit) => pair(
                format!("外線発信番号に{digit}は使えません"),
                "0または9を指定するか、なしにしてください。",
                format!("{digit} cannot be the outside-line digit"),
                "Choose 0 or 9, or none.",
            ),
            Self::NoSite(site) => pair(
                format!("拠点{}はありません", site.0),
                "拠点の一覧をご確認ください。",
                format!("there is no site {}", site.0),
                "See the contract's sites.",
            ),
            Self::NoSites => pair(
                "拠点がまだ登録されていません",
                "先に拠点(住所)を登録してください。",
                "the contract has no site yet",
                "Make a site with its address first.",
            ),
            Self::SiteTaken(site) => pair(
                format!("拠点{}はすでにあります", site.0),
                "別の番号を指定してください。",
                format!("there is a site {} already", site.0),
                "Choose another one.",
            ),
            Self::SiteInUse { site, ids, devices } => pair(
                format!("拠点{}にはID{ids}個と機器{devices}台が残っています", site.0),
                "先にIDと機器を別の拠点に移すか、返却してください。",
                format!("site {} still has {ids} IDs and {devices} devices", site.0),
                "Move or give back its IDs and devices first.",
            ),
            Self::NoAddress(site) => pair(
                format!("拠点{}の登録所在地がありません", site.0),
                "先に住所を登録してください。",
                format!("site {} has no registered address", site.0),
                "Register its address first.",
            ),
            Self::NoEmergency(site) => pair(
                format!(
                    "拠点{}の住所が緊急通報(110・118・119)用に登録されていません",
                    site.0
                ),
                "固定電話番号は、緊急通報用の住所の登録後にご利用いただけます。サポートにご確認ください。",
                format!(
                    "emergency services are not given the address of site {} yet",
                    site.0
                ),
                "A geographic number needs it: have the operator confirm it first.",
            ),
            Self::NoArea(name) => pair(
                format!("「{name}」という番号区画はありません"),
                "番号区画コード(219など)か、市外局番と料金区域(06大阪など)を指定してください。",
                format!("there is no area {name}"),
                "Name a number area (219), or area code and message area (06大阪).",
            ),
            Self::Area {
                number,
                zone,
                name,
                address,
                obstacle,
            } => {
                let (ja, en) = name::obstacle(obstacle);
                let (ja_next, en_next) = match obstacle {
                    Obstacle::Outside(_) => (
                        "登録所在地の番号区画の番号か、050番号をお選びください。",
                        "Choose a number of the address's own area, or one with 050.",
                    ),
                    Obstacle::Unknown(_) => (
                        "所在地の確認(審査)をご依頼ください。",
                        "Have the operator review the address.",
                    ),
                };
                let (ja_area, en_area) = match zone {
                    Some(zone) => (
                        format!("番号区画{zone} {name}"),
                        format!("number area {zone} {name}"),
                    ),
                    None => (name.clone(), name.clone()),
                };
                pair(
                    format!("{number}({ja_area})は「{address}」では取得できません: {ja}"),
                    ja_next,
                    format!("{number} ({en_area}) is not for {address}: {en}"),
                    en_next,
                )
            }
            Self::MustGo(numbers) => {
                let list = |text: fn(&Obstacle) -> String| {
                    let all = numbers
                        .iter()
                        .map(|(number, obstacle)| format!("{number} ({})", text(obstacle)));
                    all.collect::<Vec<_>>().join(", ")
                };
                pair(
                    format!(
                        "新しい所在地では使えない番号があります: {}",
                        list(|one| name::obstacle(one).0)
                    ),
                    "先に番号の変更、返却、他社への番号移転、または所在地の審査をお願いします。住所は変更されていません。",
                    format!(
                        "these numbers cannot be kept at the new address: {}",
                        list(|one| name::obstacle(one).1)
                    ),
                    "Change, return or port them first, or have the address reviewed. Nothing was changed.",
                )
            }
            Self::Address => pair(
                "住所は1～600バイトで、制御文字は使えません",
                "都道府県から入力してください。",
                "an address has 1 to 600 bytes and no control characters",
                "Give it from the prefecture on.",
            ),
            Self::NumberInUse { number, role } => {
                let (ja, en) = match role {
                    Some(Role::Direct(_)) => ("この契約の直通番号", "a direct number of this contract"),
                    Some(Role::Rep) => ("この契約の代表番号", "a representative number of this contract"),
                    None => ("別の契約の番号", "a number of another contract"),
                };
                pair(
                    format!("{number}はすでに{ja}として使われています"),
                    "空いている番号を選ぶか、先にその番号を返却してください。",
                    format!("{number} is already {en}"),
                    "Choose a number that is free, or give that one back first.",
                )
            }
            Self::SharedDirect { number, extension } => pair(
                format!("{number}は内線{extension}の直通番号です。直通番号は複数の端末で共有できません"),
                "複数の端末で同じ番号を使うには、代表番号を追加してください。",
                format!(
                    "{number} is the direct number of extension {extension}, and a direct number is not shared"
                ),
                "Add a representative number for several terminals with one number. Choose a free number for this ID.",
            ),
            Self::NotASubscriber(number) => pair(
                format!("{number}は特番で、加入者の番号ではありません"),
                "0312340001のような番号を指定してください。",
                format!("{number} is a service number, not a subscriber's"),
                "Give a subscriber number such as 0312340001.",
            ),
            Self::Foreign(number) => pair(
                format!("{number}は日本の番号ではありません"),
                "0312340001のような固定電話番号か、050番号を指定してください。",
                format!("{number} is a number of another country"),
                "Give a geographic number such as 0312340001, or one with 050.",
            ),
            Self::NotInPlan(number) => pair(
                format!("{number}は電気通信番号計画にない番号です"),
                "市外局番からの番号に誤りがないかご確認ください。",
                format!("{number} is not in the numbering plan: no such number is given to anybody"),
                "Check its digits, from the area code on.",
            ),
            Self::NotAssignable(number) => pair(
                format!("{number}は固定電話番号でも050番号でもありません"),
                "0312340001のような番号を指定してください。携帯・フリーダイヤルなどの番号は割り当てられません。",
                format!("{number} is neither a geographic number nor one with 050"),
                "Give one such as 0312340001; mobile, free-dial and other service numbers are not given to IDs or groups.",
            ),
            Self::NoNumber(number) => pair(
                format!("{number}はこの契約の番号ではありません"),
                "番号の一覧をご確認ください。",
                format!("{number} is no number of this contract"),
                "See the contract's numbers.",
            ),
            Self::NoRep(number) => pair(
                format!("{number}は代表番号ではありません"),
                "代表番号の一覧をご確認ください。",
                format!("{number} is no representative number"),
                "See the contract's representative numbers.",
            ),
            Self::DirectRequired(number) => pair(
                format!("IDには必ず直通番号が必要です({number})"),
                "移転後に使う直通番号を指定してください。",
                format!("an ID is never without a direct number, and {number} is one"),
                "Name the direct number it has afterwards.",
            ),
            Self::Porting(number) => pair(
                format!("{number}は番号移転の手続き中です"),
                "手続きの完了を待つか、取り消してください。",
                format!("{number} is being ported"),
                "Wait until that is done, or cancel it.",
            ),
            Self::NotPorting(number) => pair(
                format!("{number}は番号移転の手続き中ではありません"),
                "先に番号移転をお申し込みください。",
                format!("{number} is not being ported"),
                "Ask for the port first.",
            ),
            Self::NotPortable(number) => pair(
                format!("{number}は番号移転できません(固定電話番号のみ)"),
                "固定電話番号をご指定ください。",
                format!("{number} cannot be ported: only geographic numbers can"),
                "Name a geographic number.",
            ),
            Self::PortedOut(number) => pair(
                format!("{number}は他社へ移転した番号です"),
                "再びご利用になるには、番号移転(転入)をお申し込みください。",
                format!("{number} went to another carrier"),
                "Ask for a port of it to one of the contract's lines, or choose another number.",
            ),
            Self::NumberSuspended(number) => pair(
                format!("{number}は利用停止中のため、返却・移転できません"),
                "停止の解除についてはサポートにお問い合わせください。",
                format!("{number} is suspended at the request of an authority and cannot go"),
                "Ask the operator about the suspension.",
            ),
            Self::NoId(key) => pair(
                format!("ID {key}はありません"),
                "IDの一覧をご確認ください。",
                format!("there is no ID {key}"),
                "Add the ID first, or see the contract's IDs.",
            ),
            Self::NoExtension(extension) => pair(
                format!("内線{extension}のIDはありません"),
                "先にIDを追加するか、IDの一覧をご確認ください。",
                format!("the contract has no ID with the extension {extension}"),
                "Add the ID first, or see the contract's IDs.",
            ),
            Self::ExtensionTaken { extension, direct } => pair(
                format!("内線{extension}はID {direct}が使っています"),
                "空いている内線番号を選んでください。",
                format!("extension {extension} already belongs to the ID {direct}"),
                "Choose an extension that is free.",
            ),
            Self::ExtensionShadowed { extension, prefix } => pair(
                format!("内線{extension}は外線発信番号{prefix}で始まっています"),
                "別の内線番号にするか、外線発信番号を変更してください。",
                format!("extension {extension} begins with the outside-line digit {prefix}"),
                "Choose another extension, or another outside-line digit.",
            ),
            Self::NoKey => pair(
                "1契約のIDは64個までです(返却したIDは13か月間数に含まれます)",
                "別のご契約をお申し込みください。",
                "the contract has all 64 IDs it can have, or had them within 13 months",
                "Make another contract for further terminals.",
            ),
            Self::BasicId(extension) => pair(
                format!("内線{extension}は基本IDです。基本IDのみの解約はできません"),
                "契約全体を解約するか、追加IDを返却してください。",
                format!("extension {extension} is the basic ID, which ends with the contract"),
                "Give back an additional ID, or end the contract.",
            ),
            Self::CallerId { number, extension } => pair(
                format!("{number}は内線{extension}の直通番号でも、所属する代表番号でもありません"),
                "いずれかの番号を選ぶか、IDを代表番号のメンバーに加えてください。",
                format!(
                    "{number} is neither the direct number of extension {extension} nor of a group it belongs to"
                ),
                "Choose one of those, or make the ID a member of the representative number.",
            ),
            Self::NoCallerId { extension, group } => {
                let (ja_next, en_next) = match group {
                    Some(group) => (
                        format!("発信元番号を代表番号{group}に変更してください。"),
                        format!("Let it present a number of its group, {group}."),
                    ),
                    None => (
                        "先に代表番号のメンバーに加えるか、直通番号の発信を有効にしてください。".into(),
                        "Make it a member of a representative number first, or let it present its direct number.".into(),
                    ),
                };
                pair(
                    format!("内線{extension}から発信に使える番号がなくなります"),
                    &ja_next,
                    format!("extension {extension} would have no number to present"),
                    &en_next,
                )
            }
            Self::NeedsMultipleIds { ids, least } => pair(
                format!("代表番号の契約には{least}個以上のIDが必要です({ids}個では契約できません)"),
                "追加IDをお申し込みいただくか、先に代表番号を返却してください。",
                format!("a representative number needs {least} IDs, and {ids} are not enough"),
                "Add an ID, or give the representative number back first.",
            ),
            Self::RepCap { reps, pending, ids } => pair(
                format!("代表番号はIDと同数までです(代表番号{reps}個、審査中{pending}個、ID{ids}個)"),
                "追加IDをお申し込みいただくか、代表番号を返却してください。",
                format!(
                    "representative numbers are at most as many as IDs: {reps}, {pending} under review, and {ids} IDs"
                ),
                "Add an ID first, or remove a representative number.",
            ),
            Self::UsageRequired { reps } => pair(
                format!("代表番号が{reps}個あり、これ以上はご利用用途の審査が必要です"),
                "ご利用用途を入力してお申し込みください。",
                format!(
                    "the contract has {reps} representative numbers, and more are given only after a review of their use"
                ),
                "State what the number is used for.",
            ),
            Self::Requested { number, request } => pair(
                format!("{number}は申請{request}で審査中です"),
                "審査の結果を待つか、別の番号をお選びください。",
                format!("request {request} for {number} waits for its review"),
                "Wait for the decision, or choose another number.",
            ),
            Self::NoRequest(request) => pair(
                format!("申請{request}はありません"),
                "申請の一覧をご確認ください。",
                format!("there is no request {request}"),
                "See the contract's requests.",
            ),
            Self::Decided(request) => pair(
                format!("申請{request}は審査済みです"),
                "必要であれば、改めてお申し込みください。",
                format!("request {request} was decided already"),
                "Ask again if needed.",
            ),
            Self::ReasonRequired => pair(
                "お断りの理由が入力されていません",
                "理由を入力してください。",
                "the reason of the refusal is not stated",
                "State the reason: the customer is told.",
            ),
            Self::RingNotMember { extension, number } => pair(
                format!("内線{extension}は{number}のメンバーではないため、着信できません"),
                "先にメンバーに加えてください。",
                format!("{extension} shall ring for {number} without being a member"),
                "Name it among the members too.",
            ),
            Self::SubCap { cap, most } => pair(
                format!("番号ごとの同時通話数{cap}は指定できません"),
                &format!("1～{most}を指定してください。"),
                format!("a number cannot have a cap of {cap} calls"),
                &format!("Choose 1 to {most}, or none."),
            ),
            Self::NoSchedule(index) => pair(
                format!("営業時間{index}はありません"),
                "先に営業時間を登録してください。",
                format!("there is no schedule {index}"),
                "Set the schedule first.",
            ),
            Self::NoBlockList(index) => pair(
                format!("着信拒否リスト{index}はありません"),
                "先に着信拒否リストを登録してください。",
                format!("there is no block list {index}"),
                "Set the block list first.",
            ),
            Self::RuleInUse(number) => pair(
                format!("{number}が使用しています"),
                "先に番号の設定を変更してください。",
                format!("{number} uses it"),
                "Change the rules of that number first.",
            ),
            Self::Schedule(fault) => {
                let (ja, en) = name::fault(*fault);
                pair(
                    format!("営業時間が正しくありません: {ja}"),
                    "早い順に、重ならないように指定してください。",
                    format!("the schedule is not in order: {en}"),
                    "Give them ascending and apart.",
                )
            }
            Self::BlockListFull(most) => pair(
                format!("着信拒否は{most}件までです"),
                "不要なものを削除してください。",
                format!("a block list has at most {most} rules"),
                "Remove some.",
            ),
            Self::ForwardTarget(number) => pair(
                format!("{number}には転送できません"),
                "この契約の別の番号を指定してください。",
                format!("calls cannot be forwarded to {number}"),
                "Choose another number of the contract.",
            ),
            Self::Order(fault) => {
                let (ja, en) = (fault.text(Lang::Ja), fault.text(Lang::En));
                [ja.what, ja.next, en.what, en.next]
            }
            Self::NoDevice(device) => pair(
                format!("機器{}はありません", device.0),
                "機器の一覧をご確認ください。",
                format!("there is no device {}", device.0),
                "See the contract's devices.",
            ),
            Self::UnknownDevice(mac) => pair(
                format!("機器{mac}はこの契約の機器ではありません"),
                "本サービス専用に設定された機器をお使いください。",
                format!("the device {mac} is not one of this contract"),
                "Use a device that was set up for the service.",
            ),
            Self::MacTaken(mac) => pair(
                format!("MACアドレス{mac}は別の機器に登録されています"),
                "機器のラベルをご確認ください。",
                format!("another device has the hardware address {mac}"),
                "Compare it with the label of the device.",
            ),
            Self::DeviceState { device, state } => pair(
                format!(
                    "機器{}は「{}」のため、この操作はできません",
                    device.0,
                    name::state(*state)
                ),
                "機器の状態をご確認ください。",
                format!("device {} is {}", device.0, state.name()),
                "See the state of the device: ordered, configured, shipped, online, returned or purchased.",
            ),
            Self::Unbound(device) => pair(
                format!("機器{}にIDが割り当てられていません", device.0),
                "出荷前にIDを割り当ててください。",
                format!("device {} is bound to no ID", device.0),
                "Bind it to an ID: that is done before it is shipped.",
            ),
            Self::Ports(model) => pair(
                format!("{}のポートは{}個です", model.name(), model.ports()),
                "ポートごとに別のIDを1つ指定してください。",
                format!("a {} has {} ports", model.name(), model.ports()),
                "Name a different ID for each port, or none.",
            ),
            Self::AnalogOnly(interface) => pair(
                format!(
                    "アダプタには{}の機器を接続できません",
                    name::interface(*interface).0
                ),
                "アナログ回線用の電話機・FAX機をご用意ください。",
                format!(
                    "an adapter cannot connect {} equipment",
                    name::interface(*interface).1
                ),
                "Connect an analog telephone or FAX machine.",
            ),
            Self::NoPort(port) => pair(
                format!("ゲートウェイに電話ポート{port}はありません"),
                &format!("1～{PORTS}を指定してください。"),
                format!("a box has no analog port {port}"),
                &format!("Choose 1 to {PORTS}."),
            ),
            Self::PortTaken { port, extension } => pair(
                format!("電話ポート{port}は内線{extension}のIDが使っています。端末1台ごとにIDが1つ必要です"),
                "空いているポートを選ぶか、先に割り当てを解除してください。",
                format!(
                    "analog port {port} belongs to extension {extension}, and every terminal needs an ID"
                ),
                "Choose a free port, or unplug that ID first.",
            ),
            Self::IdHasPort { extension, port } => pair(
                format!(
                    "内線{extension}のIDは電話ポート{port}に接続されています。端末1台ごとにIDが1つ必要です"
                ),
                "追加IDをお申し込みいただくか、先にポートの割り当てを解除してください。",
                format!(
                    "the ID with extension {extension} is plugged into analog port {port}, and every terminal needs an ID"
                ),
                "Add an ID, or unplug this one first.",
            ),
            Self::NoMac(mac) => pair(
                format!("{mac}は機器のMACアドレスではありません"),
                "機器のラベルに記載されたMACアドレスを指定してください。",
                format!("no device can have the hardware address {mac}"),
                "Give the one on the label of the device.",
            ),
            Self::NoLine(model, line) => pair(
                format!("{}に回線{line}はありません", model.name()),
                &format!("1～{}を指定してください。", model.lines()),
                format!("a {} has no line {line}", model.name()),
                &format!("Choose 1 to {}.", model.lines()),
            ),
            Self::NoPowerPort(port) => pair(
                format!("ゲートウェイに給電(PoE)ポート{port}はありません"),
                &format!("1～{}を指定するか、指定なしにしてください。", hub::PORTS),
                format!("a box has no port {port} with power"),
                &format!("Choose 1 to {}, or none.", hub::PORTS),
            ),
            Self::PhoneTaken { mac, extension } => pair(
                format!("電話機{mac}は内線{extension}のIDに割り当てられています"),
                "別の電話機または回線を選ぶか、先に割り当てを解除してください。アダプタの回線は拠点・機種・ポートをそろえてください。",
                format!("the phone {mac} is claimed for extension {extension}"),
                "Choose another phone or line, or release that one first. Lines of one adapter have the same site, model and port.",
            ),
            Self::PowerPortTaken { port, extension } => pair(
                format!("給電ポート{port}は内線{extension}の電話機が使っています"),
                "空いているポートを選ぶか、先に割り当てを解除してください。",
                format!("port {port} belongs to the phone of extension {extension}"),
                "Choose another port or none, or release that phone first.",
            ),
            Self::IdHasPhone { extension, mac } => pair(
                format!("内線{extension}のIDには電話機{mac}があります。端末1台ごとにIDが1つ必要です"),
                "追加IDをお申し込みいただくか、先に電話機の割り当てを解除してください。",
                format!(
                    "the ID with extension {extension} has the phone {mac}, and every terminal needs an ID"
                ),
                "Add an ID, or release that phone first.",
            ),
            Self::NoPhone(extension) => pair(
                format!("内線{extension}のIDに割り当てられた電話機はありません"),
                "割り当ての一覧をご確認ください。",
                format!("no phone is claimed for extension {extension}"),
                "See `phone list`.",
            ),
            Self::Voice(voice) => pair(
                format!(
                    "音声ネットワークVLAN {}、{}/{}は使えません",
                    voice.vlan, voice.address, voice.prefix
                ),
                "VLANは1～4094、アドレスはその網(/8～/30)のホストアドレスを指定してください。",
                format!(
                    "there can be no voice network with VLAN {} and {}/{}",
                    voice.vlan, voice.address, voice.prefix
                ),
                "Give a VLAN from 1 to 4094, and the address of a host with the network's prefix, 8 to 30.",
            ),
            Self::IdHasDevice { extension, device } => pair(
                format!(
                    "内線{extension}のIDには機器{}があります。端末1台ごとにIDが1つ必要です",
                    device.0
                ),
                "追加IDをお申し込みいただくか、先に機器を返却・割り当て解除してください。",
                format!(
                    "the ID with extension {extension} has the device {}, and every terminal needs an ID",
                    device.0
                ),
                "Add an ID, or return or unbind that device first.",
            ),
            Self::WrongKind { extension, kind } => pair(
                format!("内線{extension}のIDは{}用です", name::kind(*kind).0),
                "端末の種類に合うIDを選んでください。",
                format!("the ID with extension {extension} is for {}", name::kind(*kind).1),
                "Choose an ID for this kind of terminal.",
            ),
            Self::ForeignTerminal(extension) => pair(
                format!("この端末は内線{extension}のID用に設定されたものではありません"),
                "本サービス用に設定された端末をお使いください。",
                format!("the terminal was not set up for extension {extension}"),
                "Use the terminal that was set up for the ID.",
            ),
            Self::InUse(extension) => pair(
                format!("内線{extension}のIDは別の端末で使われています"),
                "引き継ぐ場合は、もう一方の端末がログアウトされることを確認してください。",
                format!("another terminal uses extension {extension}"),
                "Confirm that it is logged out, to take over.",
            ),
            Self::InCall(extension) => pair(
                format!("内線{extension}のIDは通話中です"),
                "通話が終わるまでお待ちいただくか、通話が切断されることを確認してください。",
                format!("extension {extension} is in a call"),
                "Wait until the call is over, or confirm that it is cut.",
            ),
        }
    }
}
