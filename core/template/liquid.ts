import { Context, type Liquid, type Template } from 'liquidjs'
import { type Budget, createEngine, register, tooLong } from './engine.ts'
import type { Escaping } from './escaping.ts'
import { describeParseError, describeRenderError, type TextProblem } from './liquid-problem.ts'

/**
 * The template language: Liquid, reduced to what a message needs. Authors are trusted to word messages, not to run programs: no
 * files, no prototypes, no clock of their own, and limits that count steps and not time, because a busy machine must not turn a good
 * template into an invalid one. Such limits do not see all (a single tag can take a minute), so this runs in a thread that can be ended.
 */

/** A parsed text. */
export interface LiquidText {
  source: string
  escaping: Escaping
  templates: Template[]
}

export type ParsedText = { ok: true; text: LiquidText } | { ok: false; problem: TextProblem }
export type RenderedText = { ok: true; value: string } | { ok: false; problem: TextProblem }

/** What a text may see, and in which locale and at which time (milliseconds since the epoch) dates are written. */
export interface Environment {
  data: Record<string, unknown>
  user: Record<string, unknown>
  notification: Record<string, unknown>
  locale: string
  now: number
}

const visible = ['data', 'user', 'notification']

const engines: Record<Escaping, Liquid> = {
  none: createEngine('none'),
  html: createEngine('html'),
  mrkdwn: createEngine('mrkdwn'),
}

/** Parses a text. Unknown tags and filters are found here. */
export function parseText(source: string, escaping: Escaping): ParsedText {
  try {
    return { ok: true, text: { source, escaping, templates: engines[escaping].parse(source) } }
  } catch (error) {
    return { ok: false, problem: describeParseError(error) }
  }
}

/** Renders a text within what is left of the budget. A variable that is not there is a problem, except in conditions and before `default`. */
export function renderText(text: LiquidText, environment: Environment, budget: Budget): RenderedText {
  const engine = engines[text.escaping]
  const { data, user, notification, locale, now } = environment
  const scope = Object.assign(Object.create(null) as object, { data, user, notification })
  const options = { ...engine.options, locale: dateLocale(locale) }
  const context = new Context(scope, options, { sync: true }, { liquid: engine })
  context.setRegister(register.budget, budget)
  context.setRegister(register.now, now)
  try {
    const value = String(engine.renderSync(text.templates, context))
    budget.length -= value.length
    if (budget.length < 0) throw tooLong()
    return { ok: true, value }
  } catch (error) {
    return { ok: false, problem: describeRenderError(error, text.source) }
  }
}

/** Names that no text can ever see, such as `order` where `data.order` was meant: found without rendering, in every branch. */
export function unknownVariables(text: LiquidText): TextProblem[] {
  try {
    const { globals } = engines[text.escaping].analyzeSync(text.templates, { partials: false })
    return Object.entries(globals)
      .filter(([name]) => !visible.includes(name))
      .map(([name, [first]]) => ({
        ...(first && { line: first.location.row }),
        detail: `unknown variable ${name}: a template sees data, user and notification`,
      }))
  } catch (error) {
    return [describeParseError(error)]
  }
}

/** A locale of a template need only name its text; for dates it must be one that the runtime knows. */
function dateLocale(locale: string): string {
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? 'en'
  } catch {
    return 'en'
  }
}
