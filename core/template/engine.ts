import {
  AssertionError,
  type Context,
  type Emitter,
  type FilterImplOptions,
  filters as builtinFilters,
  Liquid,
  tags as builtinTags,
} from 'liquidjs'
import { type Escaping, escapers, textOf } from './escaping.ts'

/** The most characters that one part of a message may have once it is rendered. */
export const maxPartLength = 262_144
/** Nodes that one part may render: text, outputs, tags and turns of loops. */
const maxSteps = 100_000
/** Characters and list items that one text may make on its way. */
const maxMemory = 4_194_304

/** What is left of the limits of one part, which may consist of many texts. */
export interface Budget {
  steps: number
  length: number
}

export const newBudget = (): Budget => ({ steps: maxSteps, length: maxPartLength })

/** Registers of a render's context: its {@link Budget}, and its time in milliseconds since the epoch. */
export const register = { budget: 'carillon-budget', now: 'carillon-now' } as const

const allowedTags = words('assign capture case comment cycle for break continue if unless echo raw liquid #')
const allowedFilters = words(
  'default raw json abs at_least at_most ceil divided_by floor minus modulo plus round times url_encode ' +
    'join first last reverse sort sort_natural size map sum compact concat slice where reject find has uniq ' +
    'append prepend strip lstrip rstrip strip_newlines strip_html squish downcase upcase capitalize ' +
    'remove remove_first remove_last replace replace_first replace_last split truncate truncatewords escape',
)

type FilterHandler = Extract<FilterImplOptions, (...args: never[]) => unknown>

/** A LiquidJS with the allowed tags and filters only, without files, and with limits that end what runs away. */
export function createEngine(escaping: Escaping): Liquid {
  const engine = new Liquid({
    strictFilters: true,
    strictVariables: true,
    lenientIf: true,
    ownPropertyOnly: true,
    // No allowed tag reads a file; should one slip in, it finds none.
    templates: {},
    // Dates must not depend on where the worker runs.
    timezoneOffset: 0,
    locale: 'en',
    parseLimit: maxPartLength,
    memoryLimit: maxMemory,
    ...(escaping !== 'none' && { outputEscape: escapers[escaping] }),
  })
  for (const name of Object.keys(builtinTags)) if (!allowedTags.has(name)) delete engine.tags[name]
  for (const name of Object.keys(builtinFilters)) {
    if (!allowedFilters.has(name)) engine.unregisterFilter(name)
  }
  engine.registerFilter('date', formatDate)
  // Raw, or what is escaped by hand would be escaped twice.
  if (escaping !== 'none') engine.registerFilter('escape', { raw: true, handler: escapers[escaping] })
  if (escaping === 'html') engine.registerFilter('newline_to_br', { raw: true, handler: breakLines })
  limitWork(engine)
  return engine
}

/** What a part that grew too long ends with. */
export function tooLong(): Error {
  return new AssertionError(`the text has more than ${maxPartLength} characters`)
}

/** Every tag with a body, and every turn of a loop, goes through `renderTemplates`: the one place to count. */
function limitWork({ renderer }: Liquid): void {
  const renderTemplates = renderer.renderTemplates.bind(renderer)
  renderer.renderTemplates = (templates, context, emitter) => {
    const budget = context.getRegister<Budget>(register.budget)
    budget.steps -= templates.length + 1
    if (budget.steps < 0) throw new AssertionError(`the template takes more than ${maxSteps} steps`)
    return renderTemplates(templates, context, emitter ?? new BoundedText(context))
  }
}

/** Collects what is printed or captured. */
class BoundedText implements Emitter {
  buffer = ''
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  write(value: unknown): void {
    const text = textOf(value)
    this.#context.memoryLimit.use(text.length)
    if (this.buffer.length + text.length > maxPartLength) throw tooLong()
    this.buffer += text
  }
}

function breakLines(value: unknown): string {
  return escapers.html(value).replace(/\r?\n/g, '<br>\n')
}

/** The built-in filter, except that `now` is the time of the render and not another clock. */
const formatDate: FilterHandler = function formatDate(value: unknown, ...args: unknown[]) {
  const seconds = this.context.getRegister<number>(register.now) / 1000
  const date = builtinFilters['date'] as FilterHandler
  return date.apply(this, [value === 'now' || value === 'today' ? seconds : value, ...args]) as unknown
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(' '))
}
