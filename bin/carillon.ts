import { readFileSync } from 'node:fs'
import { StartRefused } from '../core/settings/start-refused.ts'
import { type Role, roles } from './roles.ts'

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
  await find(name).read(args, process.env)()
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
  const lines = Object.values(settings).map(({ flag, short, env, description }) => {
    const flags = [short && `-${short}`, flag && `--${flag}`].filter(Boolean)
    const names = [...flags, env].filter(Boolean).join(', ')
    return `  ${names.padEnd(56)}${description}`
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
