import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RoleProcess, startRole } from './role.ts'

/** What an install of separate processes has on its disk. */
export interface Install {
  folder: string
  /** Of its topics. */
  prefix: string
  /** Starts `carillon ROLE …` with the settings of this install. */
  start(...args: string[]): RoleProcess
  /** Writes the one manifest of this install. */
  declare(manifest: string): Promise<void>
  /** Writes a key of a secret, as a rotation does. */
  writeSecret(name: string, key: string, value: string): Promise<void>
  /** `carillon apply`: its exit code and all that it printed. */
  apply(...args: string[]): Promise<{ code: number | null; output: string }>
  remove(): Promise<void>
}

/** @param parts the settings that say where Kafka and an empty database are, and how to get in */
export async function makeInstall(parts: Readonly<Record<string, string>>): Promise<Install> {
  const folder = await mkdtemp(join(tmpdir(), 'carillon-install-'))
  const manifests = join(folder, 'manifests')
  await mkdir(manifests)
  const writeSecret = async (name: string, key: string, value: string) => {
    await mkdir(join(folder, 'secrets', name), { recursive: true })
    await writeFile(join(folder, 'secrets', name, key), value)
  }
  await writeSecret('hooks', 'secret', newSigningSecret())
  await writeFile(join(folder, 'install.key'), randomBytes(32))
  // Of this run alone: the cluster may be one that lives longer.
  const prefix = `run-${Date.now().toString(36)}`
  const env = {
    ...parts,
    CARILLON_TOPIC_PREFIX: prefix,
    CARILLON_TOPIC_REPLICAS: '1',
    CARILLON_INSTALL_KEY_FILE: join(folder, 'install.key'),
    CARILLON_SECRETS_DIR: join(folder, 'secrets'),
  }
  const start = (...args: string[]) => startRole(args, env)
  return {
    folder,
    prefix,
    start,
    writeSecret,
    declare: (manifest) => writeFile(join(manifests, 'hooks.yaml'), manifest),
    async apply(...args) {
      const role = start('apply', '-f', manifests, ...args)
      return { code: await role.ended, output: role.output() }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A secret as the provider `webhook` takes it. */
export function newSigningSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/**
 * A webhook channel `default/hooks`. Its short time-out makes a short lease, so that what a dead worker held is taken over soon; and it
 * has attempts for longer than any fault lasts.
 */
export const hooksChannel = (change: { partitions?: number; suspend?: boolean; rateLimit?: string } = {}) => `
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: hooks, namespace: default}
spec:
  type: webhook
  suspend: ${change.suspend ?? false}
  providers:
  - name: primary
    type: webhook
    webhook: {allowedNetworks: [127.0.0.0/8]}
    secretRef: {name: hooks}
    timeout: 8s
    maxConcurrent: 100
    ${change.rateLimit === undefined ? '' : `rateLimit: ${change.rateLimit}`}
  delivery: {retryTiers: [1s], maxAttempts: 100, concurrency: 100}
  topic: {partitions: ${change.partitions ?? 3}}
`
