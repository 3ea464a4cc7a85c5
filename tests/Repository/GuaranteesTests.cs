using System.Reflection;
using System.Text.RegularExpressions;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Repository;

/// <summary>The tests that <c>docs/guarantees.md</c> names are there, and are tests.</summary>
public sealed partial class GuaranteesTests
{
    private const int NamedMin = 30;

    [Fact]
    public void Every_test_that_the_guarantees_name_exists()
    {
        var named = TestName().Matches(File.ReadAllText(RepositoryPaths.Of("docs", "guarantees.md")))
            .Select(match => (Class: match.Groups[1].Value, Method: match.Groups[2].Value))
            .Distinct()
            .ToList();
        var there = typeof(GuaranteesTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(method => method.GetCustomAttributes().Any(attribute => attribute is FactAttribute))
            .Select(method => (method.DeclaringType!.Name, method.Name))
            .ToHashSet();

        Assert.True(named.Count >= NamedMin, $"Only {named.Count} tests are named.");
        Assert.Equal([], named.Except(there));
    }

    [Fact]
    public void Every_fault_has_a_test()
    {
        var rows = File.ReadLines(RepositoryPaths.Of("docs", "guarantees.md"))
            .SkipWhile(line => line != "## Faults")
            .TakeWhile(line => !line.StartsWith("## Where", StringComparison.Ordinal))
            .Where(line => line.StartsWith('|'))
            .Skip(2)
            .ToList();

        Assert.True(rows.Count >= NamedMin, $"Only {rows.Count} faults are listed.");
        Assert.All(rows, row => Assert.Matches(TestName(), row));
    }

    [GeneratedRegex(@"`(\w+Tests)\.(\w+)`")]
    private static partial Regex TestName();
}
