import type { ProviderDeclaration } from '../core/resources/provider.ts'
import { durationPattern } from '../core/resources/duration.ts'
import { apiVersion } from '../core/resources/resource.ts'
import type { customResourceDefinition, KindDefinition } from './definition.ts'
import { nodes, type StructuralSchema } from './structural.ts'

type Crd = ReturnType<typeof customResourceDefinition>

/** The reference page of a kind, from its CRD: every field, rule, condition and column. */
export function referencePage(
  definition: KindDefinition,
  crd: Crd,
  providers: readonly ProviderDeclaration[],
): string {
  const root = crd.spec.versions[0]!.schema.openAPIV3Schema
  const { spec, status } = root.properties!
  return [
    `# ${definition.kind}`,
    root.description,
    `\`apiVersion: ${apiVersion}\`, \`kind: ${definition.kind}\`; \`kubectl get ${definition.shortName}\`.`,
    '## Fields of the spec',
    fieldTable(spec!, 'spec'),
    '## Rules',
    'Checked by Kubernetes at admission, and by Carillon wherever it reads a resource itself.',
    ruleTable(spec!, 'spec'),
    ...(providers.length > 0 ? ['## Providers', providerTable(providers)] : []),
    '## Fields of the status',
    fieldTable(status!, 'status'),
    '## Conditions',
    table(
      ['Type', 'True when'],
      Object.entries(definition.conditions).map(([type, meaning]) => [code(type), meaning]),
    ),
    '## Columns of kubectl get',
    table(
      ['Column', 'Source', 'Content'],
      definition.columns.map((column) => [
        column.name + (column.priority ? ' (wide)' : ''),
        code(column.jsonPath),
        column.description,
      ]),
    ),
    '',
  ]
    .join('\n\n')
    .trimEnd()
}

function fieldTable(schema: StructuralSchema, root: string): string {
  const rows = [...fields(schema, root)].map(({ path, node, required }) => [
    code(path),
    typeOf(node),
    required ? 'required' : defaultOf(node),
    prose(node.description ?? ''),
  ])
  return table(['Field', 'Type', 'Default', 'Description'], rows)
}

/** Of an object, the defaults are told field by field. */
function defaultOf(node: StructuralSchema): string {
  if (node.default === undefined) return ''
  return code(JSON.stringify(node.properties ? {} : node.default))
}

/** The properties below a schema, each with its parent's word on whether it is required. */
function* fields(
  schema: StructuralSchema,
  path: string,
): Generator<{ path: string; node: StructuralSchema; required: boolean }> {
  for (const [name, node] of Object.entries(schema.properties ?? {})) {
    const at = `${path}.${name}`
    yield { path: at, node, required: schema.required?.includes(name) ?? false }
    yield* fields(node, at)
    if (node.items) yield* fields(node.items, `${at}[]`)
    if (node.additionalProperties) yield* fields(node.additionalProperties, `${at}.*`)
  }
}

function typeOf(node: StructuralSchema): string {
  if (node['x-kubernetes-int-or-string']) return 'integer or string'
  if (node.enum) return node.enum.map((value) => code(String(value))).join(', ')
  if (node.pattern === durationPattern.source) return 'duration'
  if (node.items) return `list${range(node.minItems, node.maxItems)} of ${typeOf(node.items)}`
  if (node.additionalProperties)
    return `map${range(undefined, node.maxProperties)} of ${typeOf(node.additionalProperties)}`
  if (node.type === 'string') return `string${range(node.minLength, node.maxLength, ' characters')}`
  return `${node.type}${range(node.minimum, node.maximum)}`
}

function range(low: number | undefined, high: number | undefined, unit = ''): string {
  if (low === undefined && high === undefined) return ''
  if (high === undefined) return ` (at least ${low}${unit})`
  return low === undefined ? ` (at most ${high}${unit})` : ` (${low} to ${high}${unit})`
}

function ruleTable(schema: StructuralSchema, root: string): string {
  const rows: string[][] = []
  for (const [path, node] of nodes(schema, root)) {
    for (const rule of node['x-kubernetes-validations'] ?? [])
      rows.push([code(path + (rule.fieldPath ?? '')), rule.message, code(rule.rule)])
    for (const key of node['x-kubernetes-list-map-keys'] ?? [])
      rows.push([code(`${path}[].${key}`), 'must be unique', ''])
  }
  return table(['Field', 'Message', 'CEL'], rows)
}

function providerTable(providers: readonly ProviderDeclaration[]): string {
  return table(
    ['Type', 'Serves channels of type', 'Keys of its Secret', 'Description'],
    providers.map((provider) => [
      code(provider.type),
      provider.channelTypes.map(code).join(', '),
      provider.secrets
        .map((secret) => `${code(secret.key)}${secret.required ? '' : ' (optional)'}: ${secret.description}`)
        .join(' '),
      provider.description,
    ]),
  )
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** What looks like HTML is none. In code spans Markdown sees to that itself. */
function prose(text: string): string {
  return text.replace(/`[^`]*`|</g, (part) => (part === '<' ? '&lt;' : part))
}

function code(text: string): string {
  return `\`${text}\``
}
