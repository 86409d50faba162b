import { isDeepStrictEqual } from 'node:util'
import { channelTypes } from '../resources/channel-type.ts'
import type { Problem } from '../resources/problem.ts'
import type { NotificationTemplate } from '../resources/template.ts'
import type { PartialTemplateContent } from '../resources/template/content.ts'
import { type CompiledVariables, compileVariables } from '../resources/template/variables.ts'
import { parsePart, type PartProblem, unknownNames } from './part.ts'
import { createRenderer, type Renderer } from './render.ts'

/** A problem of a template. `path` is the field; `line` is the line within its text, from 1. */
export interface TemplateProblem extends Problem {
  line?: number
}

/** The time of samples, so that what they expect stays true: 2026-01-15T12:00:00Z. */
const sampleTime = Date.UTC(2026, 0, 15, 12)

/**
 * Proves a template of valid structure: parses every part in every locale, and renders every sample on every channel type that it has
 * content for. A sample whose data do not fit `variables`, or that does not read as it expects, is a problem.
 * The author's own samples are all that is rendered here, so the limits of rendering hold, and not more.
 */
export function checkTemplate(template: NotificationTemplate): TemplateProblem[] {
  const { spec } = template
  const problems = [
    ...contentProblems(spec.content, ['spec', 'content']),
    ...Object.entries(spec.locales).flatMap(([locale, content]) =>
      contentProblems(content, ['spec', 'locales', locale]),
    ),
  ]
  if (problems.length > 0) return problems
  const variables = spec.variables && compileVariables(spec.variables)
  const renderer = createRenderer({ now: () => sampleTime })
  return spec.samples.flatMap((_, index) => sampleProblems(template, index, { variables, renderer }))
}

function contentProblems(content: PartialTemplateContent, at: PropertyKey[]): TemplateProblem[] {
  return channelTypes.flatMap((type) =>
    Object.entries(content[type] ?? {}).flatMap(([field, source]: [string, unknown]) => {
      const parsed = parsePart(type, field, source)
      const found = parsed.ok ? unknownNames(parsed.part) : parsed.problems
      return found.map((problem) => located(problem, [...at, type, field]))
    }),
  )
}

function located({ path, line, detail }: PartProblem, at: PropertyKey[]): TemplateProblem {
  const place = line === undefined || line === 1 ? '' : `line ${line}: `
  return { path: [...at, ...path], ...(line !== undefined && { line }), message: `${place}${detail}` }
}

interface Tools {
  variables: CompiledVariables | undefined
  renderer: Renderer
}

function sampleProblems(
  template: NotificationTemplate,
  index: number,
  { variables, renderer }: Tools,
): TemplateProblem[] {
  const at = ['spec', 'samples', index]
  const sample = template.spec.samples[index]!
  const validated = variables?.ok ? variables.validate(sample.data) : undefined
  if (validated && !validated.ok) {
    return validated.problems.map(({ pointer, message }) => ({
      path: [...at, 'data', ...pointer.split('/').slice(1)],
      message,
    }))
  }
  return channelTypes.flatMap((type): TemplateProblem[] => {
    const expected = sample.expect?.[type]
    if (template.spec.content[type] === undefined) {
      const path = [...at, 'expect', type]
      return expected ? [{ path, message: `the template has no content for ${type}` }] : []
    }
    const rendered = renderer.render({
      template,
      revision: 'sample',
      channelType: type,
      locale: sample.locale,
      address: '',
      data: sample.data,
      notification: { id: 'ntf_sample', category: template.spec.category },
    })
    if (rendered.kind === 'invalid') return [{ path: at, message: `does not render: ${rendered.detail}` }]
    return mismatches(expected, rendered.message, [...at, 'expect', type])
  })
}

/** The given fields must equal; what is not given may be anything. */
function mismatches(expected: object | undefined, message: object, at: PropertyKey[]): TemplateProblem[] {
  const actual = message as Record<string, unknown>
  return Object.entries(expected ?? {})
    .filter(([field, value]) => value !== undefined && !isDeepStrictEqual(actual[field], value))
    .map(([field]) => ({
      path: [...at, field],
      message: `is not what is rendered: ${excerpt(actual[field])}`,
    }))
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
