import { knownVariables } from '../core/settings/known.ts'
import {
  apiSettings,
  applySettings,
  devSettings,
  migrateSettings,
  operatorSettings,
  plannerSettings,
  renderSettings,
  replaySettings,
  sendSettings,
  workerSettings,
} from '../core/settings/roles.ts'
import { readSettings, type Setting } from '../core/settings/setting.ts'

/** What `carillon ROLE` can be. */
export interface Role {
  description: string
  settings: Record<string, Setting<unknown>>
  /** Throws StartRefused on settings that are wrong. What it answers runs the role, and resolves when that is done. */
  read(args: readonly string[], env: NodeJS.ProcessEnv): () => Promise<void>
}

/** Modules are imported when their role starts, so that none waits for what it does not need. */
function role<D extends Record<string, Setting<unknown>>>(
  description: string,
  definitions: D,
  load: () => Promise<(settings: ReturnType<typeof readSettings<D>>) => Promise<void>>,
): Role {
  return {
    description,
    settings: definitions,
    read(args, env) {
      const read = readSettings(definitions, { args, env, knownVariables })
      return async () => (await load())(read)
    },
  }
}

export const roles: Record<string, Role> = {
  dev: role(
    'everything in one process on this machine, for trying and developing',
    devSettings,
    async () => (await import('../deploy/dev/main.ts')).dev,
  ),
  api: role(
    'take requests over HTTP and write them to Kafka',
    apiSettings,
    async () => (await import('../api-server/main.ts')).api,
  ),
  planner: role(
    'turn accepted requests into deliveries',
    plannerSettings,
    async () => (await import('../workers/planner/main.ts')).planner,
  ),
  worker: role(
    'deliver what is on one channel',
    workerSettings,
    async () => (await import('../workers/delivery/main.ts')).worker,
  ),
  operator: role(
    'turn channels and templates of a Kubernetes cluster into topics and workers',
    operatorSettings,
    async () => (await import('../operator/main.ts')).operator,
  ),
  migrate: role(
    'bring the tables of a database up to this version',
    migrateSettings,
    async () => (await import('./migrate.ts')).migrateDatabase,
  ),
  apply: role(
    'bring topics and catalog to what a folder of manifests says',
    applySettings,
    async () => (await import('./apply.ts')).apply,
  ),
  send: role(
    'send a notification through the API, and say what becomes of it',
    sendSettings,
    async () => (await import('./send.ts')).send,
  ),
  render: role(
    'render the samples of templates, or data of yours, and prove them',
    renderSettings,
    async () => (await import('./render.ts')).render,
  ),
  replay: role(
    'hand dead letters to the workers once more, through the API',
    replaySettings,
    async () => (await import('./replay.ts')).replay,
  ),
}
