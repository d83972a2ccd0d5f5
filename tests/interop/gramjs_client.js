// GramJS as a process: one argument of JSON says whose client it is, each line of stdin is a command, and each gets
// one line of JSON on stdout.  What it says besides goes to stderr.  `clients.py` is the other end.
"use strict";

console.log = console.error; // the library's own messages, where stdout is for answers

const { Api, TelegramClient } = require("telegram");
const { MemorySession } = require("telegram/sessions");
const { Logger, PromisedNetSockets } = require("telegram/extensions");
const connections = require("telegram/network/connection");
const { _serverKeys } = require("telegram/crypto/RSA");
const bigInt = require("big-integer");
const crypto = require("crypto");
const readline = require("readline");

const options = JSON.parse(process.argv[2]);
const CONNECTIONS = {
  full: connections.ConnectionTCPFull,
  abridged: connections.ConnectionTCPAbridged,
  obfuscated: connections.ConnectionTCPObfuscated,
};

// The client dials port 80 whatever its session says.
class Sockets extends PromisedNetSockets {
  connect(port, host) {
    return super.connect(options.port, host);
  }
}

class Log extends Logger {
  log(level, message) {
    console.error(`${level}: ${message}`);
    if (message.startsWith("Handling pong")) {
      pongs.seen();
    }
  }
}

const pongs = {
  seen() {},
  next() {
    return new Promise((resolve) => {
      this.seen = resolve;
    });
  },
};

function trust(pem, fingerprint) {
  const { n, e } = crypto.createPublicKey({ key: pem, type: "pkcs1", format: "pem" }).export({ format: "jwk" });
  const number = (text) => bigInt(Buffer.from(text, "base64url").toString("hex"), 16);
  _serverKeys.clear();
  _serverKeys.set(fingerprint, { n: number(n), e: number(e).toJSNumber() });
}

trust(options.public_key, options.fingerprint);
const session = new MemorySession();
session.setDC(2, options.host, options.port);
const client = new TelegramClient(session, 1, "0123456789abcdef0123456789abcdef", {
  connection: CONNECTIONS[options.transport],
  networkSocket: Sockets,
  baseLogger: new Log("debug"),
});

async function call(phoneNumber) {
  const result = await client.invoke(
    new Api.account.SendVerifyPhoneCode({
      phoneNumber,
      settings: new Api.CodeSettings({
        allowFlashcall: true,
        currentNumber: true,
        allowAppHash: true,
        allowMissedCall: true,
        logoutTokens: [Buffer.from("arbitrary data here")],
      }),
    })
  );
  return {
    name: result.className,
    type: [result.type.className, result.type.length],
    phone_code_hash: result.phoneCodeHash,
    next_type: result.nextType.className,
    timeout: result.timeout,
  };
}

async function outcome(phoneNumber) {
  try {
    return await call(phoneNumber);
  } catch (error) {
    return { code: error.code, error: error.errorMessage };
  }
}

const COMMANDS = {
  async connect() {
    return await client.connect();
  },
  async in_a_row({ phones }) {
    const outcomes = [];
    for (const phone of phones) {
      outcomes.push(await outcome(phone));
    }
    return outcomes;
  },
  async at_once({ phones }) {
    return await Promise.all(phones.map(outcome));
  },
  async idle() {
    await pongs.next(); // to a ping that the client sends by itself, every nine seconds
    return true;
  },
};

(async function run() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    process.stdout.write(JSON.stringify(await COMMANDS[command.do](command)) + "\n");
  }
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
