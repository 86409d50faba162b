import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../../core/observability/logger.ts'
import { startEmbeddedPostgres } from '../../core/store/embedded.ts'
import { hooksChannel, type Install, makeInstall } from '../harness/process/install.ts'
import type { RoleProcess } from '../harness/process/role.ts'

/** An install with its topics, tables and channels, in which nothing runs yet. */
export interface BenchInstall {
  install: Install
  /** A PostgreSQL that keeps what it commits. */
  postgres: { url: string; pid: number }
  /** Starts a role and waits until it is ready. */
  start(...args: string[]): Promise<RoleProcess>
  /** Ends all roles, and PostgreSQL. */
  stop(): Promise<void>
}

export interface Roles {
  api: RoleProcess
  planner: RoleProcess
  worker: RoleProcess
  install: Install
  postgres: { url: string; pid: number }
  /** Ends them, and PostgreSQL. */
  stop(): Promise<void>
}

/** @param kafka `host:port` @param manifest of its channels */
export async function startInstall(kafka: string, manifest: string): Promise<BenchInstall> {
  const dataDir = await mkdtemp(join(tmpdir(), 'carillon-bench-'))
  const postgres = await startEmbeddedPostgres({ dataDir, logger: createLogger({ level: 'ERROR' }) })
  const install = await makeInstall({ KAFKA_BOOTSTRAP_SERVERS: kafka, DATABASE_URL: postgres.url })
  const started: RoleProcess[] = []
  const stop = async () => {
    await Promise.all(started.map((role) => role.stop()))
    await postgres.stop()
    await install.remove()
    await rm(dataDir, { recursive: true, force: true })
  }
  try {
    await install.declare(manifest)
    if ((await install.start('migrate').ended) !== 0) throw new Error('carillon migrate failed')
    const applied = await install.apply()
    if (applied.code !== 0) throw new Error(`carillon apply failed:\n${applied.output}`)
  } catch (error) {
    await stop()
    throw error
  }
  const start = async (...args: string[]) => {
    const role = install.start(...args)
    started.push(role)
    await role.ready()
    return role
  }
  return { install, postgres, start, stop }
}

/** Starts API, planner and the worker of the channel `default/hooks`. @param kafka `host:port` */
export async function startRoles(kafka: string, manifest = hooksChannel()): Promise<Roles> {
  const { install, postgres, start, stop } = await startInstall(kafka, manifest)
  try {
    const [api, planner, worker] = await Promise.all([
      start('api', '--listen', '127.0.0.1:0'),
      start('planner'),
      start('worker', '--channel', 'default/hooks'),
    ])
    return { api, planner, worker, install, postgres, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
