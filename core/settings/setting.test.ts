import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { knownVariables, settings } from './known.ts'
import { readSettings } from './setting.ts'
import { StartRefused } from './start-refused.ts'

/** What has no default. */
const required = {
  DATABASE_URL: 'postgresql://127.0.0.1/carillon',
  KAFKA_BOOTSTRAP_SERVERS: 'kafka:9092',
  CARILLON_INSTALL_KEY_FILE: '/keys/install.key',
  CARILLON_CHANNEL: 'shop/email',
  CARILLON_MANIFESTS: '/manifests',
  CARILLON_IMAGE: 'carillon:test',
  CARILLON_NAMESPACE: 'carillon',
}

const read = (args: string[], env: Record<string, string> = {}) =>
  readSettings(settings, {
    args,
    env: { ...required, ...env },
    knownVariables,
  })

test('without any setting a laptop gets loopback and folders of the checkout', () => {
  const read_ = read([])
  expect(read_).toMatchObject({
    listen: { host: '127.0.0.1', port: 8080 },
    topicPrefix: 'carillon',
    logLevel: 'INFO',
    emailPort: 587,
  })
  expect(read_.dataDir).toBe(resolve('.carillon'))
  expect(read_.emailHost).toBeUndefined()
})

test.each([
  ['--listen', '127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['--listen', 'localhost:9000', { host: 'localhost', port: 9000 }],
  ['--listen', '[::1]:9000', { host: '::1', port: 9000 }],
])('%s %s', (flag, value, listen) => {
  expect(read([flag, value]).listen).toEqual(listen)
  expect(read([`${flag}=${value}`]).listen).toEqual(listen)
})

test('brokers are a list, a channel has two names, and health may be asked from elsewhere', () => {
  const args = ['--channel=shop/email', '--health-listen', '0.0.0.0:8081']
  expect(read(args, { KAFKA_BOOTSTRAP_SERVERS: 'a.example:9092, [::1]:9093' })).toMatchObject({
    kafkaBootstrapServers: ['a.example:9092', '[::1]:9093'],
    channel: { namespace: 'shop', name: 'email' },
    healthListen: { host: '0.0.0.0', port: 8081 },
  })
})

test('a flag may have a letter, and may stand alone', () => {
  expect(read(['-f', 'somewhere', '--dry-run'])).toMatchObject({
    manifestsToApply: resolve('somewhere'),
    dryRun: true,
  })
  expect(read([]).dryRun).toBe(false)
})

test('a flag wins over the environment, and an empty variable is not set', () => {
  expect(read(['--log-level', 'DEBUG'], { LOG_LEVEL: 'ERROR' }).logLevel).toBe('DEBUG')
  expect(read([], { LOG_LEVEL: '', EMAIL_HOST: '' })).toMatchObject({
    logLevel: 'INFO',
    emailHost: undefined,
  })
})

test.each<[string[], Record<string, string>, string]>([
  [[], { CARILLON_LISTEN: 'foo' }, 'CARILLON_LISTEN: must be HOST:PORT, got "foo"'],
  [[], { CARILLON_LISTEN: '127.0.0.1:65536' }, 'CARILLON_LISTEN: must be HOST:PORT, got "127.0.0.1:65536"'],
  [['--listen', ':8080'], {}, '--listen: must be HOST:PORT, got ":8080"'],
  [
    ['--listen', '0.0.0.0:80'],
    {},
    '--listen: must be a loopback address until the API has authentication, got "0.0.0.0:80"',
  ],
  [
    ['--listen', '[::]:80'],
    {},
    '--listen: must be a loopback address until the API has authentication, got "[::]:80"',
  ],
  [
    ['--listen', '192.168.1.4:80'],
    {},
    '--listen: must be a loopback address until the API has authentication, got "192.168.1.4:80"',
  ],
  [
    ['--listen', 'example.com:80'],
    {},
    '--listen: must be a loopback address until the API has authentication, got "example.com:80"',
  ],
  [
    [],
    { CARILLON_LISTNE: '127.0.0.1:1' },
    'CARILLON_LISTNE: no such setting; did you mean "CARILLON_LISTEN"?',
  ],
  [['--port', '8081'], {}, '--port: no such flag'],
  [['-p'], {}, '-p: no such flag'],
  [['--listen'], {}, '--listen: needs a value'],
  [['now'], {}, '"now": no argument is expected here'],
  [[], { LOG_LEVEL: 'debug' }, 'LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR, got "debug"'],
  [[], { EMAIL_PORT: '0' }, 'EMAIL_PORT: must be a port, 1 to 65535, got "0"'],
  [[], { EMAIL_FROM: 'me' }, 'EMAIL_FROM: must be an address: Name <name@example.com>, got "me"'],
  [
    [],
    { CARILLON_TOPIC_PREFIX: 'a.b' },
    'CARILLON_TOPIC_PREFIX: must be 1 to 40 of a-z, 0-9 and -, got "a.b"',
  ],
  [['--email-password', 'hunter2'], {}, '--email-password: no such flag'],
  [
    [],
    { KAFKA_BOOTSTRAP_SERVERS: '' },
    'KAFKA_BOOTSTRAP_SERVERS: must be set: HOST:PORT of one broker or more, separated by commas',
  ],
  [
    [],
    { KAFKA_BOOTSTRAP_SERVERS: 'kafka' },
    'KAFKA_BOOTSTRAP_SERVERS: must be HOST:PORT of one broker or more, separated by commas, got "kafka"',
  ],
  [
    [],
    { KAFKA_SECURITY_PROTOCOL: 'TLS' },
    'KAFKA_SECURITY_PROTOCOL: must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, got "TLS"',
  ],
  [['--channel', 'email'], {}, '--channel: must be NAMESPACE/NAME of a channel, got "email"'],
  [['-f'], {}, '-f: needs a value'],
  [['--dry-run=maybe'], {}, '--dry-run: must be true or false, got "maybe"'],
  [['--topic-replicas', '0'], {}, '--topic-replicas: must be 1 to 10, got "0"'],
  [
    [],
    { CARILLON_INSTALL_KEY_FILE: '' },
    'CARILLON_INSTALL_KEY_FILE: must be set: a file of 32 random bytes or more, the same for every process',
  ],
  [[], { DATABASE_URL: 'mysql://root:hunter2@db' }, 'DATABASE_URL: must begin with postgresql://'],
  [[], { DATABASE_URL: '' }, 'DATABASE_URL: must be set: postgresql://user:password@host/database'],
])('%j %j: %s', (args, env, line) => {
  expect(() => read(args, env)).toThrow(new StartRefused(line, 2))
})

test('variables of the tools and of other programs are nobody’s mistake', () => {
  expect(() => read([], { CARILLON_CACHE: '/c', CARILLON_REQUIRE: 'kafka', PATH: '/bin' })).not.toThrow()
})
