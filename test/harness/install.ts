import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RoleProcess, startRole } from './role.ts'

/** What an install of separate processes has on its disk. */
export interface Install {
  folder: string
  /** Starts `carillon ROLE …` with the settings of this install. */
  start(...args: string[]): RoleProcess
  /** Writes the one manifest of this install. */
  declare(manifest: string): Promise<void>
  /** `carillon apply`: its exit code and all that it printed. */
  apply(...args: string[]): Promise<{ code: number | null; output: string }>
  remove(): Promise<void>
}

/** @param parts the settings that say where Kafka and an empty database are, and how to get in */
export async function makeInstall(parts: Readonly<Record<string, string>>): Promise<Install> {
  const folder = await mkdtemp(join(tmpdir(), 'carillon-install-'))
  const manifests = join(folder, 'manifests')
  await mkdir(manifests)
  await mkdir(join(folder, 'secrets', 'hooks'), { recursive: true })
  await writeFile(join(folder, 'secrets', 'hooks', 'secret'), `whsec_${randomBytes(32).toString('base64')}`)
  await writeFile(join(folder, 'install.key'), randomBytes(32))
  const env = {
    ...parts,
    // Of this run alone: the cluster may be one that lives longer.
    CARILLON_TOPIC_PREFIX: `run-${Date.now().toString(36)}`,
    CARILLON_TOPIC_REPLICAS: '1',
    CARILLON_INSTALL_KEY_FILE: join(folder, 'install.key'),
    CARILLON_SECRETS_DIR: join(folder, 'secrets'),
  }
  const start = (...args: string[]) => startRole(args, env)
  return {
    folder,
    start,
    declare: (manifest) => writeFile(join(manifests, 'hooks.yaml'), manifest),
    async apply(...args) {
      const role = start('apply', '-f', manifests, ...args)
      return { code: await role.ended, output: role.output() }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A webhook channel `default/hooks`. Its short time-out makes a short lease, so that what a dead worker held is taken over soon. */
export const hooksChannel = (change: { partitions?: number; suspend?: boolean } = {}) => `
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
    timeout: 2s
    maxConcurrent: 100
  delivery: {retryTiers: [1s], maxAttempts: 5, concurrency: 100}
  topic: {partitions: ${change.partitions ?? 3}}
`
