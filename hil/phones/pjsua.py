"""A desk phone: PJSUA2 with a null sound device. Lines on standard input say what to do, lines on standard output what
happens; its settings are one JSON object, the only argument.
"""

import hashlib
import json
import os
import select
import sys

import pjsua2 as pj

SETTINGS = json.loads(sys.argv[1])
TRANSPORTS = {
    "udp": (pj.PJSIP_TRANSPORT_UDP, 5060),
    "tcp": (pj.PJSIP_TRANSPORT_TCP, 5060),
    "tls": (pj.PJSIP_TRANSPORT_TLS, 5061),
}
calls = []


def say(*words):
    # At once, and on a line of its own: the library writes what it logs to the same pipe, from its own threads.
    line = " ".join(str(word) for word in ("\nphone:", *words))
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


class Call(pj.Call):
    def __init__(self, account, number=pj.PJSUA_INVALID_ID):
        super().__init__(account, number)
        self.account = account
        self.held = False
        calls.append(self)

    def onCallState(self, prm):
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            say("talks", self.getId())
        elif info.state == pj.PJSIP_INV_STATE_EARLY and info.role == pj.PJSIP_ROLE_UAC:
            say("progress", info.lastStatusCode)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            calls.remove(self)
            say("ended", info.lastStatusCode)

    def onCallMediaState(self, prm):
        info = self.getInfo()  # Its parts live no longer than it does.
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(index)
                player.startTransmit(audio)
                audio.startTransmit(recorder)
            held = media.status == pj.PJSUA_CALL_MEDIA_REMOTE_HOLD
            if held != self.held:
                self.held = held
                say("held" if held else "resumed")

    def onDtmfDigit(self, prm):
        say("digit", prm.digit, "info" if prm.method == pj.PJSUA_DTMF_METHOD_SIP_INFO else "rtp")

    def onCallTransferRequest(self, prm):
        prm.newCall = Call(self.account)

    def onCallReplaceRequest(self, prm):
        prm.newCall = Call(self.account)

    def onCallTransferStatus(self, prm):
        say("transfer", prm.statusCode)
        if prm.finalNotify and prm.statusCode // 100 == 2:
            self.hangup(param())

    def onCallTsxState(self, prm):
        transaction = prm.e.body.tsxState.tsx
        if transaction.state == pj.PJSIP_TSX_STATE_COMPLETED and transaction.method in ("INVITE", "UPDATE"):
            say("transaction", transaction.method, transaction.statusCode)


class Account(pj.Account):
    def onRegState(self, prm):
        if prm.code // 100 == 2:
            say("registered" if prm.expiration else "unregistered")
        else:
            say("refused", prm.code)

    def onIncomingCall(self, prm):
        call = Call(self, prm.callId)
        ringing = pj.CallOpParam()
        ringing.statusCode = 180
        call.answer(ringing)
        say("rings", call.getInfo().remoteUri)

    def onMwiInfo(self, prm):
        body = prm.rdata.wholeMsg.replace("\r", "").partition("\n\n")[2]
        say("messages", body.replace("\n", " "))


def param(status=0):
    prm = pj.CallOpParam(True)
    prm.statusCode = status
    return prm


def dial(account, number):
    Call(account).makeCall(f"sip:{number}@{SETTINGS['domain']}{SUFFIX}", param())


def obey(account, order, word=""):
    """One order. What concerns a call concerns the latest."""
    call = calls[-1] if calls else None
    if order == "dial":
        dial(account, word)
    elif order == "answer":
        call.answer(param(200))
    elif order == "decline":
        call.answer(param(int(word)))
    elif order == "hangup":
        call.hangup(param())
    elif order == "hold":
        call.setHold(param())
    elif order == "resume":
        prm = param()
        prm.opt.flag = pj.PJSUA_CALL_UNHOLD
        call.reinvite(prm)
    elif order == "update":
        call.update(param())
    elif order in ("rtp", "info"):
        prm = pj.CallSendDtmfParam()
        prm.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if order == "info" else pj.PJSUA_DTMF_METHOD_RFC2833
        prm.digits = word
        prm.duration = 160
        call.sendDtmf(prm)
    elif order == "transfer":
        call.xfer(f"sip:{word}@{SETTINGS['domain']}", param())
    elif order == "attend":
        calls[0].xferReplaces(calls[1], param())
    elif order == "register":
        account.setRegistration(True)
    elif order == "unregister":
        account.setRegistration(False)
    else:
        raise ValueError(order)


def credentials():
    """The password, with which PJSIP takes the first algorithm that is offered, or its hash, which is MD5's."""
    user, realm, password = SETTINGS["user"], SETTINGS["domain"], SETTINGS["password"]
    if not SETTINGS["md5"]:
        return pj.AuthCredInfo("digest", realm, user, pj.PJSIP_CRED_DATA_PLAIN_PASSWD, password)
    hashed = hashlib.md5(f"{user}:{realm}:{password}".encode()).hexdigest()
    return pj.AuthCredInfo("digest", realm, user, pj.PJSIP_CRED_DATA_DIGEST, hashed)


endpoint = pj.Endpoint()
endpoint.libCreate()
config = pj.EpConfig()
config.uaConfig.threadCnt = 0
config.uaConfig.mainThreadOnly = True
config.uaConfig.userAgent = "PJSUA2"
config.logConfig.level = 4
config.logConfig.consoleLevel = 4
config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
config.medConfig.noVad = True
config.medConfig.ecTailLen = 0
endpoint.libInit(config)
kind, port = TRANSPORTS[SETTINGS["transport"]]
transport = pj.TransportConfig()
transport.port = port
transport.boundAddress = SETTINGS["address"]
transport.tlsConfig.CaListFile = SETTINGS["authority"]
transport.tlsConfig.verifyServer = True
endpoint.transportCreate(kind, transport)
endpoint.audDevManager().setNullDev()
endpoint.libStart()
for codec in endpoint.codecEnum2():
    if codec.codecId != "PCMU/8000/1":
        endpoint.codecSetPriority(codec.codecId, 0)
endpoint.codecSetPriority("PCMU/8000/1", 255)
player = pj.AudioMediaPlayer()
player.createPlayer(SETTINGS["tone"])
recorder = pj.AudioMediaRecorder()
recorder.createRecorder(SETTINGS["recording"])

SUFFIX = "" if SETTINGS["transport"] == "udp" else f";transport={SETTINGS['transport']}"
settings = pj.AccountConfig()
settings.idUri = f"sip:{SETTINGS['user']}@{SETTINGS['domain']}"
settings.regConfig.registrarUri = f"sip:{SETTINGS['domain']}{SUFFIX}"
settings.regConfig.timeoutSec = SETTINGS["expires"]
settings.regConfig.retryIntervalSec = 1
settings.regConfig.firstRetryIntervalSec = 1
settings.regConfig.randomRetryIntervalSec = 0
settings.sipConfig.proxies.append(f"sip:{SETTINGS['proxy']};lr{SUFFIX}")
settings.sipConfig.authCreds.append(credentials())
settings.callConfig.timerMinSESec = 90
settings.callConfig.timerSessExpiresSec = SETTINGS["session"]
settings.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS if SETTINGS["timer"] else pj.PJSUA_SIP_TIMER_OPTIONAL
settings.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY if SETTINGS["reliable"] else pj.PJSUA_100REL_NOT_USED
settings.mwiConfig.enabled = SETTINGS["messages"]
settings.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_DISABLED
account = Account()
account.create(settings)

pending = b""
while True:
    endpoint.libHandleEvents(10)
    if not select.select([sys.stdin], [], [], 0)[0]:
        continue
    chunk = os.read(0, 4096)
    if not chunk:
        break
    *lines, pending = (pending + chunk).split(b"\n")
    for line in lines:
        try:
            obey(account, *line.decode().split())
        except Exception as error:  # What PJSUA refuses is told, and ends nothing.
            say("failed", line.decode(), getattr(error, "reason", error))
