import type { ChannelType } from '../resources/channel-type.ts'
import { newBudget } from './engine.ts'
import type { Escaping } from './escaping.ts'
import { type Environment, type LiquidText, parseText, renderText, unknownVariables } from './liquid.ts'
import type { TextProblem } from './liquid-problem.ts'

/**
 * A part of a content, such as the subject of a mail or the blocks of a Slack message: JSON in which every string is a text. What
 * is rendered are the strings, so no value can break out of the JSON around it.
 */
export interface Part {
  source: unknown
  /** The texts in the order in which a walk through the source meets them. */
  texts: { path: PropertyKey[]; text: LiquidText }[]
}

/** A problem of a part. `path` leads into the part, and is empty for the part itself. */
export interface PartProblem extends TextProblem {
  path: PropertyKey[]
}

export type ParsedPart = { ok: true; part: Part } | { ok: false; problems: PartProblem[] }
export type RenderedPart = { ok: true; value: unknown } | { ok: false; problem: PartProblem }

const maxDepth = 64

/** Parses every text of a part. */
export function parsePart(type: ChannelType, field: string, source: unknown): ParsedPart {
  if (isDeeperThan(source, maxDepth))
    return { ok: false, problems: [{ path: [], detail: `nested deeper than ${maxDepth} levels` }] }
  const texts: Part['texts'] = []
  const problems: PartProblem[] = []
  mapStrings(source, [], (string, path, parent) => {
    const parsed = parseText(string, escapingOf(type, field, path, parent))
    if (parsed.ok) texts.push({ path, text: parsed.text })
    else problems.push({ path, ...parsed.problem })
    return string
  })
  return problems.length > 0 ? { ok: false, problems } : { ok: true, part: { source, texts } }
}

/** Names in a part that no text can ever see. */
export function unknownNames(part: Part): PartProblem[] {
  return part.texts.flatMap(({ path, text }) =>
    unknownVariables(text).map((problem) => ({ path, ...problem })),
  )
}

/** Renders every text of a part; all of them share one budget. */
export function renderPart(part: Part, environment: Environment): RenderedPart {
  const budget = newBudget()
  const values: string[] = []
  for (const { path, text } of part.texts) {
    const rendered = renderText(text, environment, budget)
    if (!rendered.ok) return { ok: false, problem: { path, ...rendered.problem } }
    values.push(rendered.value)
  }
  const next = values.values()
  return { ok: true, value: mapStrings(part.source, [], (string) => next.next().value ?? string) }
}

type Replace = (string: string, path: PropertyKey[], parent: Readonly<Record<string, unknown>>) => string

function mapStrings(value: unknown, path: PropertyKey[], replace: Replace, parent = {}): unknown {
  if (typeof value === 'string') return replace(value, path, parent)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item, index) => mapStrings(item, [...path, index], replace))
  const object = value as Record<string, unknown>
  return Object.fromEntries(
    Object.entries(object).map(([key, item]) => [key, mapStrings(item, [...path, key], replace, object)]),
  )
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((item) => isDeeperThan(item, levels - 1))
}

/** A plain-text object of Slack knows no commands, so only its mrkdwn is escaped. */
function escapingOf(
  type: ChannelType,
  field: string,
  path: readonly PropertyKey[],
  parent: Readonly<Record<string, unknown>>,
): Escaping {
  if (type === 'email' && field === 'html') return 'html'
  if (type !== 'slack') return 'none'
  if (field === 'text') return 'mrkdwn'
  return path.at(-1) === 'text' && parent['type'] === 'mrkdwn' ? 'mrkdwn' : 'none'
}
