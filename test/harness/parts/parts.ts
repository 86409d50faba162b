import { accessSync, constants, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findKafkaJars, installKafkaJars } from '../kafka/kafka-jars.ts'
import { findKubernetes, installKubernetes } from '../kubernetes/binaries.ts'
import { findPublishedCrds, installPublishedCrds } from '../kubernetes/published-crds.ts'
import { installDebianPackages } from './debian.ts'

type Environment = Readonly<Record<string, string | undefined>>

interface PartDefinition {
  /** The path that tests get, or undefined when the part is not on this machine. Cheap: every run asks. */
  find(env: Environment): string | undefined
  /** Completes "SKIPPED name: …" when it is not there. */
  missing: string
  /** Puts it on this machine, for `make real-parts`. Throws an error whose message says why it cannot. */
  install(): Promise<void>
}

const definitions = {
  chromium: {
    find: (env) => firstExecutable([env['CHROMIUM'], '/usr/bin/chromium']),
    missing: 'no browser at $CHROMIUM or /usr/bin/chromium',
    install: () => installDebianPackages(['chromium', 'fonts-dejavu-core']),
  },
  /** The path is the folder of the CRDs that KEDA and the Prometheus operator publish. */
  crds: {
    find: findPublishedCrds,
    missing:
      'no CRDs of KEDA and the Prometheus operator in the cache (make real-parts fetches them with Go)',
    install: installPublishedCrds,
  },
  /** The path is the folder of a broker's jars, or the bootstrap servers of a cluster that runs elsewhere: `host:port,…`. */
  kafka: {
    find: (env) => env['CARILLON_KAFKA'] || findKafkaJars(env),
    missing: 'no cluster at $CARILLON_KAFKA, and no Java with Kafka in the cache',
    install: installKafkaJars,
  },
  /** The path is the folder of the programs of a control plane, kubectl, helm and kwok. */
  kubernetes: {
    find: findKubernetes,
    missing: 'no control plane in the cache (make real-parts builds it with Go)',
    install: installKubernetes,
  },
  /** The path is the folder of the server's programs: `initdb`, `postgres`, `pg_ctl`. */
  postgres: {
    find: (env) =>
      [env['CARILLON_POSTGRES_BIN'], ...debianPostgresFolders()].find(
        (folder) =>
          folder !== undefined && ['initdb', 'postgres'].every((name) => isExecutable(join(folder, name))),
      ),
    missing: 'no initdb and postgres in $CARILLON_POSTGRES_BIN or /usr/lib/postgresql/*/bin',
    install: () => installDebianPackages(['postgresql']),
  },
  /** The path is the program, or the address of a server that runs elsewhere: `redis://…`. */
  redis: {
    find: (env) => env['CARILLON_REDIS'] || firstExecutable(['/usr/bin/redis-server']),
    missing: 'no server at $CARILLON_REDIS, and no /usr/bin/redis-server',
    install: () => installDebianPackages(['redis-server']),
  },
} satisfies Record<string, PartDefinition>

export type PartName = keyof typeof definitions
export const partNames = Object.keys(definitions) as PartName[]

/** A real program that some tests need and that does not come with the dependencies. */
export type Part = { available: true; path: string } | { available: false; reason: string }

/** Looks for a part on this machine. */
export function part(name: PartName, env: Environment = process.env): Part {
  const path = definitions[name].find(env)
  return path === undefined
    ? { available: false, reason: definitions[name].missing }
    : { available: true, path }
}

/** Installs a part that is missing. Throws an error whose message says why it cannot. */
export async function installPart(name: PartName): Promise<void> {
  await definitions[name].install()
}

/**
 * The parts that CARILLON_REQUIRE names, separated by commas: for these a skip is a failure.
 * Throws on a name that is not a part, because a slip of the pen would switch the requirement off.
 */
export function requiredParts(env: Environment): PartName[] {
  const names = (env['CARILLON_REQUIRE'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return names.map((name) => {
    const known = partNames.find((candidate) => candidate === name)
    if (known === undefined) {
      throw new Error(`CARILLON_REQUIRE: no part is called ${name}; there are ${partNames.join(', ')}`)
    }
    return known
  })
}

function firstExecutable(paths: readonly (string | undefined)[]): string | undefined {
  return paths.find((path) => path !== undefined && isExecutable(path))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Newest release first. */
function debianPostgresFolders(): string[] {
  const releases = '/usr/lib/postgresql'
  try {
    return readdirSync(releases)
      .toSorted((a, b) => Number(b) - Number(a))
      .map((release) => join(releases, release, 'bin'))
  } catch {
    return []
  }
}
