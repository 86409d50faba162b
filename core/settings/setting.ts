import { parseArgs } from 'node:util'
import type { z } from 'zod'
import { suggestion } from '../resources/problem.ts'
import { StartRefused } from './start-refused.ts'

/** One setting: an environment variable and, unless it is a secret, a flag. What is said anew with every command is a flag alone. */
export interface Setting<T> {
  env?: string
  /** Without the dashes. Absent for secrets: a command line can be read by everyone on the machine. */
  flag?: string
  /** One letter for the flag, without its dash. */
  short?: string
  /** The flag stands alone and means `true`. */
  switch?: true
  /** One line for `carillon ROLE --help`. */
  description: string
  /** Reads the text; its messages complete "must …". `undefined` is a setting that is not set. */
  schema: z.ZodType<T, string | undefined>
}

export type Settings<D extends Record<string, Setting<unknown>>> = {
  [K in keyof D]: D[K] extends Setting<infer T> ? T : never
}

export interface SettingSources {
  args: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  /** All variables of ours that some role or tool knows: another one that begins with CARILLON_ is a slip of the pen. */
  knownVariables: ReadonlySet<string>
}

const prefix = 'CARILLON_'

/**
 * The settings of a role. A flag wins over its environment variable; an empty variable counts as not set.
 * Throws {@link StartRefused}, exit code 2, with one line that names the setting; a secret's value is never in it.
 */
export function readSettings<D extends Record<string, Setting<unknown>>>(
  definitions: D,
  sources: SettingSources,
): Settings<D> {
  const unknown = Object.keys(sources.env).find(
    (name) => name.startsWith(prefix) && !sources.knownVariables.has(name),
  )
  if (unknown !== undefined)
    throw new StartRefused(
      `${unknown}: no such setting${suggestion(unknown, [...sources.knownVariables])}`,
      2,
    )
  const flags = readFlags(Object.values(definitions), sources.args)
  const entries = Object.entries(definitions).map(([key, setting]) => [
    key,
    readSetting(setting, flags, sources.env),
  ])
  return Object.fromEntries(entries) as Settings<D>
}

function readSetting(
  setting: Setting<unknown>,
  flags: ReadonlyMap<string, string>,
  env: SettingSources['env'],
): unknown {
  const flag = setting.flag === undefined ? undefined : flags.get(setting.flag)
  const variable = setting.env && env[setting.env]
  const text = flag ?? (variable === '' ? undefined : variable)
  const parsed = setting.schema.safeParse(text)
  if (parsed.success) return parsed.data
  const name = flag === undefined && setting.env ? setting.env : `--${setting.flag}`
  const got = text === undefined || setting.flag === undefined ? '' : `, got ${JSON.stringify(text)}`
  throw new StartRefused(`${name}: ${parsed.error.issues[0]?.message ?? 'is wrong'}${got}`, 2)
}

function readFlags(definitions: readonly Setting<unknown>[], args: readonly string[]): Map<string, string> {
  const known = definitions.flatMap((setting) => (setting.flag === undefined ? [] : [setting.flag]))
  const options = Object.fromEntries(
    definitions.flatMap(({ flag, short, switch: alone }) =>
      flag === undefined
        ? []
        : [[flag, { type: alone ? ('boolean' as const) : ('string' as const), ...(short && { short }) }]],
    ),
  )
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const flags = new Map<string, string>()
  for (const token of tokens) {
    if (token.kind === 'positional')
      throw new StartRefused(`${JSON.stringify(token.value)}: no argument is expected here`, 2)
    if (token.kind === 'option-terminator') continue
    if (!known.includes(token.name))
      throw new StartRefused(`${token.rawName}: no such flag${suggestion(token.name, known)}`, 2)
    const value = token.value ?? (options[token.name]?.type === 'boolean' ? 'true' : undefined)
    if (value === undefined) throw new StartRefused(`${token.rawName}: needs a value`, 2)
    flags.set(token.name, value)
  }
  return flags
}
