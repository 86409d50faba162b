import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { leastEnvironment } from '../harness/process/role.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

function carillon(args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bin/carillon.ts', ...args], {
    cwd: root,
    env: { ...leastEnvironment(), ...env },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test.each<[string[], Record<string, string>, string]>([
  [
    ['serve'],
    {},
    'carillon: "serve": no such role; there are dev, api, planner, worker, operator, migrate, apply, replay, help, version\n',
  ],
  [
    ['constructor'],
    {},
    'carillon: "constructor": no such role; there are dev, api, planner, worker, operator, migrate, apply, replay, help, version\n',
  ],
  [
    ['dev', '--listen', '0.0.0.0:8080'],
    {},
    'carillon: --listen: must be a loopback address until the API has authentication, got "0.0.0.0:8080"\n',
  ],
  [['dev'], { CARILLON_LISTEN: 'foo' }, 'carillon: CARILLON_LISTEN: must be HOST:PORT, got "foo"\n'],
  [['dev', '--database-url', 'x'], {}, 'carillon: --database-url: no such flag\n'],
  [['migrate'], {}, 'carillon: DATABASE_URL: must be set: postgresql://user:password@host/database\n'],
  [
    ['api'],
    {},
    'carillon: KAFKA_BOOTSTRAP_SERVERS: must be set: HOST:PORT of one broker or more, separated by commas\n',
  ],
  [['worker'], {}, 'carillon: CARILLON_CHANNEL: must be set: NAMESPACE/NAME of a channel\n'],
  [['apply'], {}, 'carillon: CARILLON_MANIFESTS: must be set: a folder of manifests\n'],
  [
    ['planner', '--install-key-file', '/nowhere'],
    { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1', DATABASE_URL: 'postgresql://127.0.0.1/carillon' },
    'carillon: CARILLON_INSTALL_KEY_FILE: /nowhere: cannot be read: ENOENT\n',
  ],
  [
    ['worker', '--channel', 'shop/email', '--kafka-sasl-username', 'me'],
    { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1', DATABASE_URL: 'postgresql://127.0.0.1/carillon' },
    'carillon: KAFKA_SASL_USERNAME: is not used when KAFKA_SECURITY_PROTOCOL is PLAINTEXT\n',
  ],
  [
    ['apply', '-f', '/nowhere'],
    { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1', CARILLON_INSTALL_KEY_FILE: '/nowhere' },
    'carillon: --filename: /nowhere cannot be read: ENOENT\n',
  ],
  [
    ['replay', '--api', 'here'],
    {},
    'carillon: --api: must be a URL such as http://127.0.0.1:8080, got "here"\n',
  ],
  [
    ['replay', '--since', 'yesterday'],
    {},
    'carillon: --since: must be a time such as 2026-11-30T08:00:00Z, or 2h for two hours ago, got "yesterday"\n',
  ],
  [['replay', '--rate', '0'], {}, 'carillon: --rate: must be a whole number from 1 up, got "0"\n'],
])('%j %j is refused with one line', (args, env, line) => {
  expect(carillon(args, env)).toEqual({ status: 2, stdout: '', stderr: line })
})

test('help names every role, and help of a role every setting of it', () => {
  const overview = carillon([])
  expect(overview).toMatchObject({ status: 0, stderr: '' })
  expect(overview.stdout).toMatch(/^Usage: carillon ROLE/)
  expect(overview).toEqual(carillon(['help']))
  const role = carillon(['dev', '--help'])
  expect(role).toEqual(carillon(['help', 'dev']))
  expect(role.stdout).toMatch(/--listen, CARILLON_LISTEN +HOST:PORT/)
  expect(role.stdout).toMatch(/^ {2}EMAIL_PASSWORD +password/m)
})

test('version is that of the package', () => {
  expect(carillon(['version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})
