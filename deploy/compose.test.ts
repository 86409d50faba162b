import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { roles } from '../bin/roles.ts'

/** No container engine is at hand in tests, so the file is read: what it says to our roles must be what they take. */

const service = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.unknown()).default({}),
})
const compose = z
  .looseObject({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.null()) })
  .parse(parse(read('compose.yaml'), { merge: true }))
const services = Object.entries(compose.services)
const ours = services.filter(([, { image, entrypoint }]) => image === 'carillon:local' && !entrypoint)

function read(file: string): string {
  return readFileSync(fileURLToPath(new URL(file, import.meta.url)), 'utf8')
}

test.each(ours)(
  '%s: its role takes its command line and its environment, and knows all of it',
  (_, { command, environment }) => {
    const [name = '', ...args] = command ?? []
    const role = roles[name]
    expect(() => role!.read(args, environment)).not.toThrow()
    const known = Object.values(role!.settings).map(({ env }) => env)
    expect(known).toEqual(expect.arrayContaining(Object.keys(environment)))
  },
)

test('a slip in the file would be found', () => {
  const environment = { ...compose.services['api']!.environment }
  expect(() => roles['api']!.read([], { ...environment, CARILLON_INSTALL_KEY: '/keys' })).toThrow(
    'CARILLON_INSTALL_KEY: no such setting',
  )
})

test('every file that a setting names is below something mounted, and every volume is declared', () => {
  for (const [, { environment, volumes, command = [] }] of ours) {
    const mounted = volumes.map((volume) => volume.split(':').at(-2)!)
    const named = [...Object.values(environment), ...command].filter((value) => value.startsWith('/'))
    expect(named.filter((path) => !mounted.some((mount) => path.startsWith(mount)))).toEqual([])
  }
  const used = services.flatMap(([, { volumes }]) => volumes.map((volume) => volume.split(':')[0]!))
  const named = used.filter((volume) => /^[a-z]+$/.test(volume))
  expect([...new Set(named)].toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
})

test('each sample channel has its worker, and each role of a running install is there', () => {
  const folder = fileURLToPath(new URL('samples/', import.meta.url))
  const channels = readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) =>
      parseAllDocuments(read(`samples/${file}`)).map((document) => document.toJS() as unknown),
    )
    .flatMap((manifest) => {
      const { kind, metadata } = z
        .looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) })
        .parse(manifest)
      return kind === 'NotificationChannel' ? [`default/${metadata.name}`] : []
    })
  const delivered = ours.flatMap(([, { command = [] }]) =>
    command[0] === 'worker' ? [String(command[2])] : [],
  )
  expect(delivered.toSorted()).toEqual(channels.toSorted())
  const started = new Set(ours.map(([, { command }]) => command?.[0]))
  expect(started).toEqual(new Set(['migrate', 'apply', 'api', 'planner', 'worker']))
})

test('nothing is published beyond the loopback of this machine, and what is waited for exists', () => {
  const ports = services.flatMap(([, { ports }]) => ports)
  expect(ports.length).toBeGreaterThan(0)
  expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
  const names = new Set(Object.keys(compose.services))
  for (const [, { depends_on }] of services) {
    expect(Object.keys(depends_on).filter((name) => !names.has(name))).toEqual([])
  }
})
