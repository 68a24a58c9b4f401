import type { CloudAssembly, Template, TemplateResource } from '../../local/deploy/assembly.ts';

interface Statement {
  Sid?: string;
  Action: string | string[];
}

interface Document {
  Statement: Statement[];
}

const permission = 'AWS::Lambda::Permission';

/** The same assembly, but each statement of its policies has a Sid that says where and what it is. */
export function named(assembly: CloudAssembly): CloudAssembly {
  const template = structuredClone(assembly.template);
  for (const [logicalId, resource] of Object.entries(template.Resources)) {
    const statements = documentsOf(resource).flatMap(({ Statement }) => Statement);
    for (const [index, statement] of statements.entries())
      statement.Sid = `${logicalId} ${index + 1}: ${[statement.Action].flat().join(' ')}`;
  }
  return { ...assembly, template };
}

/** Sids of all statements of an assembly that {@link named} has made; a permission of a function is one. */
export function statementsOf({ template }: CloudAssembly): string[] {
  return Object.entries(template.Resources).flatMap(([logicalId, resource]) =>
    resource.Type === permission
      ? [logicalId]
      : documentsOf(resource).flatMap(({ Statement }) => Statement.map(({ Sid }) => Sid!)),
  );
}

/** The same assembly without one statement. */
export function without(assembly: CloudAssembly, sid: string): CloudAssembly {
  const template: Template = structuredClone(assembly.template);
  if (template.Resources[sid]?.Type === permission) delete template.Resources[sid];
  for (const document of Object.values(template.Resources).flatMap(documentsOf))
    document.Statement = document.Statement.filter(({ Sid }) => Sid !== sid);
  return { ...assembly, template };
}

/** The policies in a resource: a role's trust policy and its own, or those of a queue or bucket. */
function documentsOf({ Properties = {} }: TemplateResource): Document[] {
  const {
    AssumeRolePolicyDocument,
    PolicyDocument,
    Policies = [],
  } = Properties as {
    AssumeRolePolicyDocument?: Document;
    PolicyDocument?: Document;
    Policies?: { PolicyDocument: Document }[];
  };
  const documents = [AssumeRolePolicyDocument, PolicyDocument, ...Policies.map((policy) => policy.PolicyDocument)];
  return documents.filter((document) => document !== undefined);
}
