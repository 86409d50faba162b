import { readFileSync } from 'node:fs'
import { knownVariables, settings } from '../core/settings/known.ts'
import { readSettings, type Setting } from '../core/settings/setting.ts'
import { StartRefused } from '../core/settings/start-refused.ts'

interface Role {
  description: string
  settings: Record<string, Setting<unknown>>
  /** Resolves when the role is done. */
  run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void>
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
    async run(args, env) {
      const read = readSettings(definitions, { args, env, knownVariables })
      await (await load())(read)
    },
  }
}

const { databaseUrl, logLevel, ...forDev } = settings

const roles: Record<string, Role> = {
  dev: role(
    'everything in one process on this machine, for trying and developing',
    { ...forDev, logLevel },
    async () => (await import('../deploy/dev/main.ts')).dev,
  ),
  migrate: role(
    'bring the tables of a database up to this version',
    { databaseUrl, logLevel },
    async () => (await import('./migrate.ts')).migrateDatabase,
  ),
}

const [name = 'help', ...args] = process.argv.slice(2)
try {
  await main(name, args)
} catch (error) {
  if (!(error instanceof StartRefused)) throw error
  process.stderr.write(`carillon: ${error.message}\n`)
  process.exitCode = error.exitCode
}

async function main(name: string, args: string[]): Promise<void> {
  if (['help', '--help', '-h'].includes(name))
    return print(args[0] === undefined ? overview() : usage(args[0]))
  if (['version', '--version', '-v'].includes(name)) return print(version())
  if (args.includes('--help') || args.includes('-h')) return print(usage(name))
  await find(name).run(args, process.env)
}

function find(name: string): Role {
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined
  if (role === undefined) {
    throw new StartRefused(
      `${JSON.stringify(name)}: no such role; there are ${Object.keys(roles).join(', ')}, help, version`,
      2,
    )
  }
  return role
}

function overview(): string {
  const lines = Object.entries(roles).map(([name, { description }]) => `  ${name.padEnd(9)}${description}`)
  return `Usage: carillon ROLE [--FLAG VALUE ...]\n\n${lines.join('\n')}\n  help     this, or the settings of a role: carillon help ROLE\n  version  the version of Carillon`
}

function usage(name: string): string {
  const { description, settings } = find(name)
  const lines = Object.values(settings).map(({ flag, env, description }) => {
    const names = flag === undefined ? env : `--${flag}, ${env}`
    return `  ${names.padEnd(40)}${description}`
  })
  return `carillon ${name}: ${description}\n\nSettings, each a flag or an environment variable:\n${lines.join('\n')}`
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return manifest.version
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
