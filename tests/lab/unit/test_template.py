"""The template's interpreter: functions are resolved, everything else is refused with its line."""
from __future__ import annotations

import base64
import textwrap
from pathlib import Path

import pytest

from lab.template import interpreter as template
from lab.template.interpreter import Stack, TemplateError, Tree

VPC = """
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.16.0.0/16}
"""


def tree(folder: Path, text: str) -> Tree:
    path = folder / "stack.yaml"
    path.write_text(textwrap.dedent(text).lstrip("\n"))
    return template.load_tree(path)


def load(folder: Path, text: str, **parameters: str) -> Stack:
    return template.interpret(tree(folder, text), parameters)


def value(folder: Path, text: str, before: str = "", **parameters: str) -> object:
    """The value of an expression, used as the value of a tag of the VPC."""
    stack = load(folder, before + VPC.rstrip() + "\n" + textwrap.indent(
        "  Other:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlock:\n"
        + textwrap.indent(textwrap.dedent(text).strip("\n"), " " * 8), "") + "\n", **parameters)
    return stack.resources["Other"].properties["CidrBlock"]


def refused(folder: Path, text: str, **parameters: str) -> str:
    with pytest.raises(TemplateError) as error:
        load(folder, text, **parameters)
    return str(error.value)


# rules

RULE = """
Parameters:
  A: {Type: String, Default: one}
  B: {Type: String, Default: two}
Rules:
  Different:
    Assertions:
      - Assert: !Not [!Equals [!Ref A, !Ref B]]
        AssertDescription: A and B are two.
""" + VPC


def test_rules_hold_parameters_against_each_other(tmp_path: Path) -> None:
    load(tmp_path, RULE)
    assert "stack.yaml:7: Different: refused: A and B are two." in refused(tmp_path, RULE, B="one")


@pytest.mark.parametrize("old, new, said", [
    ("Assertions:", "Assert:", "a list of Assertions"),
    ("AssertDescription: A and B are two.", "Description: x", "Assert and AssertDescription"),
    ("!Not [!Equals [!Ref A, !Ref B]]", "!Contains [[a], !Ref A]", "Contains"),
])
def test_other_rules_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refused(tmp_path, RULE.replace(old, new))


# functions

@pytest.mark.parametrize("text, expected", [
    ("!Ref AWS::Region", "ap-northeast-2"),
    ("{Ref: 'AWS::AccountId'}", "123456789012"),
    ("!Sub 'arn:${AWS::Partition}:x:${AWS::Region}'", "arn:aws:x:ap-northeast-2"),
    ("Fn::Sub: '${AWS::StackName}.${AWS::URLSuffix}'", "practice.amazonaws.com"),
    ("!Sub 'a ${!literal} $HOME $(x)'", "a ${literal} $HOME $(x)"),
    ("!Sub ['${x}-${AWS::Region}', {x: !Ref 'AWS::AccountId'}]", "123456789012-ap-northeast-2"),
    ("!GetAtt Vpc.CidrBlock", "10.16.0.0/16"),
    ("!GetAtt [Vpc, CidrBlock]", "10.16.0.0/16"),
    ("Fn::GetAtt: [Vpc, CidrBlock]", "10.16.0.0/16"),
    ("!Sub '${Vpc.CidrBlock}'", "10.16.0.0/16"),
    ("!Select [1, [a, b, c]]", "b"),
    ("!Select ['0', !Ref List]", "x"),
    ("!Join ['-', [a, !Ref 'AWS::Region', 5, true]]", "a-ap-northeast-2-5-true"),
    ("!Join [',', !Ref List]", "x,y"),
    ("!If [Big, yes it is, no]", "yes it is"),
    ("!If [Small, yes, !Ref Number]", "7"),
    ("!Join [',', [a, !If [Small, b, !Ref AWS::NoValue], c]]", "a,c"),
    ("!Ref Image", "ami-0ac47a7ade6a62d1c"),
])
def test_functions(tmp_path: Path, text: str, expected: object) -> None:
    before = """
    Parameters:
      Number: {Type: Number, Default: 7}
      List: {Type: CommaDelimitedList, Default: 'x, y'}
      Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/al2023}
    Conditions:
      Big: !Equals [!Ref Number, 7]
      Small: !And [!Not [!Condition Big], !Or [!Condition Big, !Equals [a, b]]]
    """
    found = value(tmp_path, text, textwrap.dedent(before))
    if text == "!Ref Image":  # the value of Systems Manager is made up, but it is an image
        assert str(found).startswith("ami-0") and len(str(found)) == len(str(expected))
    else:
        assert found == expected


def test_base64_of_a_text_with_lines(tmp_path: Path) -> None:
    found = value(tmp_path, "Fn::Base64: !Sub |\n  #!/bin/sh\n  echo ${AWS::Region} ${!x}\n")
    assert base64.b64decode(str(found)).decode() == "#!/bin/sh\necho ap-northeast-2 ${x}\n"


def test_no_value_takes_the_property_away(tmp_path: Path) -> None:
    stack = load(tmp_path, """
    Conditions: {Never: !Equals [a, b]}
    Resources:
      Vpc:
        Type: AWS::EC2::VPC
        Properties:
          CidrBlock: 10.16.0.0/16
          EnableDnsHostnames: !If [Never, true, !Ref 'AWS::NoValue']
    """)
    assert list(stack.resources["Vpc"].properties) == ["CidrBlock"]


def test_conditions_leave_resources_and_outputs_out(tmp_path: Path) -> None:
    text = """
    Parameters: {Two: {Type: String, Default: 'no', AllowedValues: ['yes', 'no']}}
    Conditions: {Both: !Equals [!Ref Two, 'yes']}
    Resources:
      Vpc: {Type: AWS::EC2::VPC, DependsOn: Gateway, Properties: {CidrBlock: 10.16.0.0/16}}
      Gateway: {Type: AWS::EC2::InternetGateway, Condition: Both}
    Outputs:
      Id: {Condition: Both, Value: !Ref Gateway}
    """
    assert list(load(tmp_path, text).resources) == ["Vpc"]
    assert load(tmp_path, text).outputs == {}
    both = load(tmp_path, text, Two="yes")
    assert both.outputs == {"Id": both.refs["Gateway"]}
    assert both.resources["Vpc"].depends_on == ["Gateway"]


def test_ids_are_the_same_in_each_run_and_lead_back(tmp_path: Path) -> None:
    first, second = load(tmp_path, VPC), load(tmp_path, VPC)
    assert first.ref("Vpc") == second.ref("Vpc")
    assert first.ref("Vpc").startswith("vpc-0") and len(first.ref("Vpc")) == 21
    assert first.named("AWS::EC2::VPC", first.ref("Vpc")) == "Vpc"
    assert first.named("AWS::EC2::Subnet", first.ref("Vpc")) is None


def test_a_policys_version_is_text_and_its_condition_is_no_function(tmp_path: Path) -> None:
    stack = load(tmp_path, """
    Resources:
      Role:
        Type: AWS::IAM::Role
        Properties:
          AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Condition: {Bool: {a: 'true'}}}]}
    """)
    document = stack.resources["Role"].properties["AssumeRolePolicyDocument"]
    assert document == {"Version": "2012-10-17", "Statement": [{"Condition": {"Bool": {"a": "true"}}}]}


# refused templates, and their lines

HEAD = "Resources:\n  Vpc:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlock: "
GATEWAY = "\n  G: {Type: AWS::EC2::InternetGateway}"


@pytest.mark.parametrize("text, line, said", [
    (HEAD + "!Ref Nowhere", 5, "Vpc: there is no parameter or resource Nowhere"),
    (HEAD + "!Sub 'a${Nowhere.Id}'", 5, "Vpc: there is no parameter or resource Nowhere"),
    (HEAD + "!Sub |\n        one\n        ${two}", 5, "(in line 2 of the text)"),
    (HEAD + "!Sub '${a b}'", 5, "${a b} is no name"),
    (HEAD + "!GetAtt G.Colour" + GATEWAY, 5, "has no attribute Colour"),
    (HEAD + "!GetAtt G" + GATEWAY, 5, "has no attribute"),
    (HEAD + "!ImportValue x", 5, "function !ImportValue is not known to the lab"),
    (HEAD + "{Fn::FindInMap: [a, b, c]}", 5, "function Fn::FindInMap is not known to the lab"),
    (HEAD + "!Equals [a, b]", 5, "Fn::Equals stands in Conditions only"),
    (HEAD + "{Ref: x, Other: y}", 5, "Ref stands beside other keys"),
    (HEAD + "!If [Nowhere, a, b]", 5, "there is no condition Nowhere"),
    (HEAD + "!Select [5, [a]]", 5, "there is no item 5"),
    (HEAD + "!Select ['²', [a]]", 5, "there is no item ²"),
    (HEAD + "!Select [-1, [a]]", 5, "there is no item -1"),
    (HEAD + "!GetAtt []", 5, "Fn::GetAtt takes a resource and an attribute"),
    (HEAD + "!GetAtt [[a], {}]", 5, "Fn::GetAtt takes a resource and an attribute"),
    (HEAD + "!Ref {a: b}", 5, "there is no parameter or resource {'a': 'b'}"),
    (HEAD + "!Ref \"a\\n\\eb\"", 5, "there is no parameter or resource a \\x1bb"),
    (HEAD + "!Join ['', [[a]]]", 5, "joins a list of texts"),
    (HEAD + "!Join a", 5, "takes a list"),
    (HEAD + "~", 5, "null"),
    (HEAD + "1\n      CidrBlock: 2", 6, "CidrBlock is given twice, first on line 5"),
    (HEAD + "&a 1\n      B: *a", 5, "the lab knows no aliases"),
    (HEAD + "1\n      <<: {a: 1}", 6, "the lab knows no merges"),
    (HEAD + "!!set {a: 1}", 5, "a value of type tag:yaml.org,2002:set is not known"),
    (HEAD + "a: b: c", 5, "not YAML"),
    ("Resources:\n  A: {Type: AWS::S3::Bucket}", 2, "A: resource type AWS::S3::Bucket is not known"),
    ("Resources:\n  A: {Properties: {}}", 2, "A: resource type (none)"),
    ("Resources:\n  A:\n    Type: AWS::EC2::VPC\n    CreationPolicy: {}", 4, "A: attribute CreationPolicy"),
    ("Resources:\n  A_1: {Type: AWS::EC2::VPC}", 2, "letters and digits only"),
    ("Resources:\n  A: {Type: AWS::EC2::VPC, DependsOn: B}", 2, "DependsOn: there is no other resource B"),
    ("Resources:\n  A: {Type: AWS::EC2::VPC, DependsOn: [A]}", 2, "DependsOn: there is no other resource A"),
    ("Resources:\n  A: {Type: AWS::EC2::VPC, DependsOn: 5}", 2, "DependsOn is neither a name nor"),
    ("Resources:\n  A: {Type: AWS::EC2::VPC, DependsOn: {a: b}}", 2, "DependsOn is neither a name"),
    ("Resources:\n  A: {Type: AWS::EC2::VPC, DependsOn: [[A]]}", 2, "DependsOn is neither a name"),
    ("Resources:\n  A: {Type: [AWS::EC2::VPC]}", 2, "is not known to the lab"),
    ("Resources:\n  A: {Type: AWS::EC2::VPC, Properties: [a]}", 2, "Properties is not a mapping"),
    ("Resources:\n  A:\n    Type: AWS::EC2::VPC\n    Properties: !Ref AWS::Region", 4,
     "Properties is not a mapping"),
    ("Resources:\n  A:\n    Type: AWS::EC2::VPC\n    DeletionPolicy: Keep", 4, "is none of Delete"),
    ("Resources:\n  A:\n    Type: AWS::EC2::VPC\n    UpdatePolicy: {B: !Ref Nowhere}", 4,
     "there is no parameter or resource Nowhere"),
    ("Resources:\n" + "".join(f"  A{n}: {{Type: AWS::EC2::EIP}}\n" for n in range(501)), 1,
     "there are 501 resources"),
    ("Resources:\n" + "".join(f"  A{n}: {{Type: AWS::EC2::EIP}}\n" for n in range(41)), 42,
     "the lab has 40 elastic addresses"),
    ("Resources: {}", 1, "there are no resources"),
    ("Transform: x\nResources: {A: {Type: AWS::EC2::VPC}}", 1, "section Transform is not known"),
    ("- a", 1, "not a mapping"),
    ("", 1, "not a mapping"),
    ("Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]" + VPC, 2, "depends on itself"),
    ("Conditions:\n  A: !Ref x" + VPC, 2, "function Ref is not known in a condition"),
    ("Conditions:\n  A: !Equals [[a], a]" + VPC, 2, "Fn::Equals takes a text"),
    ("AWSTemplateFormatVersion: 2010-09-10\n" + VPC, 1, "is not 2010-09-09"),
    ("Outputs:\n  A:\n    Value: x\n    Valve: y" + VPC, 4, "Valve is no key of an output"),
    ("Outputs:\n  A: {Description: x}" + VPC, 2, "A: an output has a Value"),
])
def test_refused(tmp_path: Path, text: str, line: int, said: str) -> None:
    message = refused(tmp_path, text)
    assert message.startswith(f"stack.yaml:{line}: "), message
    assert said in message


def test_circles_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, """
    Resources:
      A: {Type: AWS::EC2::VPC, DependsOn: B}
      B: {Type: AWS::EC2::InternetGateway, DependsOn: C}
      C: {Type: AWS::EC2::EIP, Properties: {Domain: !Sub '${A.VpcId}'}}
    """)
    assert message == "stack.yaml:2: A: circular dependency: A → B → C → A"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="gone.yaml:1: cannot be read"):
        template.load_tree(tmp_path / "gone.yaml")


def test_two_with_one_name_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, """
    Resources:
      A: {Type: AWS::IAM::Role, Properties: {RoleName: web}}
      B: {Type: AWS::IAM::Role, Properties: {RoleName: web}}
    """)
    assert message == "stack.yaml:3: B: A is web already"


# parameters

@pytest.mark.parametrize("definition, good, bad, said", [
    ("{Type: String, AllowedValues: [a, b]}", "a", "c", "is none of a, b"),
    ("{Type: String, AllowedPattern: '[a-z]+'}", "abc", "abc1", "does not match [a-z]+"),
    ("{Type: String, MinLength: 2}", "ab", "a", "is shorter than 2"),
    ("{Type: String, MaxLength: 2}", "ab", "abc", "is longer than 2"),
    ("{Type: Number, MinValue: 5}", "5", "4", "is less than 5"),
    ("{Type: Number, MaxValue: 5}", "5", "5.5", "is more than 5"),
    ("{Type: Number}", "1e3", "many", "is not a number"),
    ("{Type: Number, AllowedValues: [10, 30]}", "10", "20", "is none of 10, 30"),
    ("{Type: CommaDelimitedList, AllowedPattern: '[a-z]+'}", "a,b", "a,1", "does not match"),
    ("{Type: 'AWS::EC2::KeyPair::KeyName'}", "mine", "", "is no AWS::EC2::KeyPair::KeyName"),
])
def test_parameters_are_held_against_their_limits(tmp_path: Path, definition: str, good: str,
                                                  bad: str, said: str) -> None:
    text = f"Parameters:\n  P: {definition}\n" + VPC
    assert load(tmp_path, text, P=good).parameters == {"P": good}
    message = refused(tmp_path, text, P=bad)
    assert message.startswith(f'stack.yaml:2: P: "{bad}" ') and said in message


def test_parameters_without_a_value_and_values_without_a_parameter(tmp_path: Path) -> None:
    text = "Parameters:\n  P: {Type: String, ConstraintDescription: be kind, AllowedPattern: a}\n" + VPC
    assert refused(tmp_path, text) == ("stack.yaml:2: P: the parameter has no default and must "
                                       "be given")
    assert refused(tmp_path, text, P="b").endswith(": be kind")
    assert "there is no parameter Q" in refused(tmp_path, text, P="a", Q="1")
    assert "parameter type Text is not known" in refused(
        tmp_path, "Parameters: {P: {Type: Text, Default: a}}\n" + VPC)
    assert "Defualt is no key" in refused(
        tmp_path, "Parameters: {P: {Type: String, Defualt: a}}\n" + VPC)


@pytest.mark.parametrize("definition, said", [
    ("[String]", "a parameter is a mapping"),
    ("{Type: String, Default: [a]}", "Default is not a text"),
    ("{Type: String, Default: a, AllowedValues: a}", "AllowedValues is not a list of texts"),
    ("{Type: String, Default: a, AllowedValues: [[a]]}", "AllowedValues is not a list of texts"),
    ("{Type: String, Default: a, MinLength: two}", "MinLength is not a number"),
    ("{Type: Number, Default: 1, MaxValue: .inf}", "MaxValue is not a number"),
    ("{Type: Number, Default: nan}", '"nan" is not a number'),
    ("{Type: Number, Default: '1_0'}", '"1_0" is not a number'),
    ("{Type: String, Default: a, AllowedPattern: '('}", "is no regular expression"),
    ("{Type: String, Default: a, AllowedPattern: 'a{99999999999}'}", "is no regular expression"),
    ("{Type: {a: b}, Default: a}", "Type is not a text"),
])
def test_definitions_of_parameters_that_are_none(tmp_path: Path, definition: str, said: str
                                                 ) -> None:
    message = refused(tmp_path, f"Parameters:\n  P: {definition}\n" + VPC)
    assert message.startswith("stack.yaml:2: P: ") and said in message


# editing

EDITED = """
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    DependsOn: [Gateway, Address]
    Properties:
      CidrBlock: 10.16.0.0/16
      Tags:
        - Key: Name
          Value: one
        - Key: Other
          Value: two
  Gateway: {Type: AWS::EC2::InternetGateway}
  Address: {Type: AWS::EC2::EIP, DependsOn: Gateway}
"""


def test_a_copy_is_edited_and_the_original_stays(tmp_path: Path) -> None:
    original = tree(tmp_path, EDITED)
    copy = original.copy()
    copy.set("Vpc", "Tags.1.Value", {"Fn::Sub": "${AWS::Region}"})
    copy.unset("Vpc", "Tags.0")
    copy.remove("Gateway")
    copy.add("Peer", "AWS::EC2::EIP", {"Domain": {"Ref": "Vpc"}})
    stack = template.interpret(copy, {})
    assert stack.resources["Vpc"].properties["Tags"] == [{"Key": "Other", "Value": "ap-northeast-2"}]
    assert stack.resources["Vpc"].depends_on == ["Address"]
    assert stack.resources["Peer"].properties == {"Domain": stack.ref("Vpc")}
    before = template.interpret(original, {})
    assert list(before.resources) == ["Vpc", "Gateway", "Address"]
    assert before.resources["Vpc"].properties["Tags"][1]["Value"] == "two"


def test_lines_survive_editing(tmp_path: Path) -> None:
    changed = tree(tmp_path, EDITED).copy()
    changed.remove("Gateway")
    assert changed.section("Resources").line_of("Address") == 13
    changed.unset("Vpc", "Tags.0")
    assert changed.resource("Vpc")["Properties"]["Tags"].line_of(0) == 10
    changed.set("Vpc", "Tags.0.Value", {"Ref": "Nowhere"})
    with pytest.raises(TemplateError, match=r"stack.yaml:11: Vpc: there is no .* Nowhere"):
        template.interpret(changed, {})
    changed.set("Vpc", "Tags.0.Value", "two")
    changed.set("Vpc", "Tags.1", {"Key": "Third", "Value": "3"})
    stack = template.interpret(changed, {})
    assert stack.resources["Vpc"].properties["Tags"][1] == {"Key": "Third", "Value": "3"}
    assert stack.resources["Vpc"].properties.line_of("CidrBlock") == 6


@pytest.mark.parametrize("name, path", [
    ("Nobody", "CidrBlock"), ("Vpc", "Colour"), ("Vpc", "Tags.7"), ("Vpc", "CidrBlock.0"),
    ("Gateway", "Tags")])
def test_editing_what_is_not_there_is_refused(tmp_path: Path, name: str, path: str) -> None:
    with pytest.raises(LookupError):
        tree(tmp_path, EDITED).unset(name, path)
