using System.Reflection;
using System.Text.RegularExpressions;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Repository;

public partial class GuaranteesTests
{
    [Fact]
    public void Every_test_that_the_page_of_guarantees_names_exists()
    {
        var page = File.ReadAllText(RepositoryPaths.Of("docs", "guarantees.md"));
        var named = Name().Matches(page).Select(match => match.Groups[1].Value).ToList();
        var existing = typeof(GuaranteesTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods()
                .Where(method => method.GetCustomAttribute<FactAttribute>() is not null)
                .Select(method => $"{type.Name}.{method.Name}"))
            .ToHashSet();

        Assert.NotEmpty(named);
        Assert.Empty(named.Except(existing));
    }

    [GeneratedRegex(@"`(\w+Tests\.\w+)`")]
    private static partial Regex Name();
}
