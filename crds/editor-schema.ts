import { z } from 'zod'
import { apiVersion } from '../core/resources/resource.ts'

/**
 * The JSON Schema (2020-12) of a kind as an author writes it: for completion and checks in an editor. Rules over several
 * fields are left to Carillon and Kubernetes; the status and what else the API server writes is left out.
 */
export function editorSchema(kind: string, schema: z.ZodType): Record<string, unknown> {
  const { $schema, description, properties } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => forEditors(jsonSchema as Record<string, unknown>),
  }) as { $schema: string; description: string; properties: Record<string, Record<string, unknown>> }
  return {
    $schema,
    title: `${kind} (${apiVersion})`,
    description,
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    additionalProperties: false,
    properties: {
      apiVersion: properties['apiVersion'],
      kind: properties['kind'],
      metadata: authored(properties['metadata']!),
      spec: properties['spec'],
    },
  }
}

function forEditors(node: Record<string, unknown>): void {
  for (const key of Object.keys(node)) if (key.startsWith('x-kubernetes-')) delete node[key]
  if (node['minimum'] === Number.MIN_SAFE_INTEGER) delete node['minimum']
  if (node['maximum'] === Number.MAX_SAFE_INTEGER) delete node['maximum']
}

/** Authors write what has a description; the other fields are the API server's. */
function authored(metadata: Record<string, unknown>): Record<string, unknown> {
  const fields = Object.entries(metadata['properties'] as Record<string, { description?: string }>)
  return {
    ...metadata,
    properties: Object.fromEntries(fields.filter(([, field]) => field.description !== undefined)),
  }
}
